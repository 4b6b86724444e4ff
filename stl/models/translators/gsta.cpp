#include "stl/models/translators/gsta.h"

namespace stl {

torch::Tensor GstaGate::forward(const torch::Tensor& x) {
    const auto halves = context(x).chunk(2, 1);
    return torch::sigmoid(halves[1]) * halves[0];
}

GstaBlock::GstaBlock(const BlockOptions& options)
    : LargeKernelBlock(options, std::make_shared<GstaGate>(options.channels)) {}

}  // namespace stl
