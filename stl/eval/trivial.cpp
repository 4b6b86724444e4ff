#include "stl/eval/trivial.h"

namespace stl {
namespace {

torch::Tensor repeat(const torch::Tensor& frame, std::int64_t frames) {
    return frame.expand({-1, frames, -1, -1, -1});
}

torch::Tensor copy_of_last(const torch::Tensor& x, std::int64_t frames) {
    return repeat(x.slice(1, -1), frames);
}

torch::Tensor black(const torch::Tensor& x, std::int64_t frames) {
    return repeat(torch::zeros_like(x.slice(1, -1)), frames);
}

torch::Tensor mean_of_inputs(const torch::Tensor& x, std::int64_t frames) {
    return repeat(x.mean(1, /*keepdim=*/true), frames);
}

}  // namespace

const std::vector<TrivialPredictor>& trivial_predictors() {
    static const std::vector<TrivialPredictor> members{
        {"copy", "copy of the last frame", copy_of_last},
        {"black", "black", black},
        {"mean", "mean of the inputs", mean_of_inputs},
    };
    return members;
}

}  // namespace stl
