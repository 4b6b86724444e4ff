#include "stl/models/layers/drop.h"

#include <vector>

namespace stl {

torch::Tensor draw_kept(const torch::Tensor& branch, double rate, torch::Dtype type) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(branch.dim()), 1);
    shape[0] = branch.size(0);
    auto kept = torch::empty(shape, branch.options().dtype(type)).bernoulli_(1.0 - rate);
    if (rate < 1.0) kept.div_(1.0 - rate);
    return kept;
}

torch::Tensor drop_path(const torch::Tensor& branch, double rate, bool training) {
    if (rate <= 0.0 || !training) return branch;
    return branch * draw_kept(branch, rate, branch.scalar_type());
}

}  // namespace stl
