#include "stl/models/layers/mlp.h"

namespace stl {

MlpImpl::MlpImpl(std::int64_t channels, std::int64_t hidden, double drop_) : drop(drop_) {
    fc1 = register_module("fc1", Linear(channels, hidden));
    fc2 = register_module("fc2", Linear(hidden, channels));
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) {
    const auto hidden = torch::dropout(ops().gelu(fc1->forward(x)), drop, is_training());
    return torch::dropout(fc2->forward(hidden), drop, is_training());
}

ConvMlpImpl::ConvMlpImpl(std::int64_t channels, std::int64_t hidden, double drop_) : drop(drop_) {
    fc1 = register_module("fc1", pointwise(channels, hidden));
    fc2 = register_module("fc2", pointwise(hidden, channels));
}

torch::Tensor ConvMlpImpl::forward(const torch::Tensor& input) {
    const auto x = ops().to_products(input);
    const auto hidden = torch::dropout(ops().gelu(fc1->forward(x)), drop, is_training());
    return ops().from_products(torch::dropout(fc2->forward(hidden), drop, is_training()), input);
}

DepthwiseMixImpl::DepthwiseMixImpl(std::int64_t channels) {
    dwconv = register_module("dwconv", depthwise(channels, 3));
}

MixMlpImpl::MixMlpImpl(std::int64_t channels, std::int64_t hidden, double drop_) : drop(drop_) {
    fc1 = register_module("fc1", pointwise(channels, hidden));
    dwconv = register_module("dwconv", DepthwiseMix(hidden));
    fc2 = register_module("fc2", pointwise(hidden, channels));
}

torch::Tensor MixMlpImpl::forward(const torch::Tensor& x) {
    const auto hidden = ops().depthwise_gelu(fc1->forward(x), dwconv->dwconv->convolution());
    return torch::dropout(fc2->forward(torch::dropout(hidden, drop, is_training())), drop, is_training());
}

}  // namespace stl
