#include "stl/models/layers/mlp.h"

#include "stl/ops/chains.h"
#include "stl/ops/pointwise.h"

namespace stl {

MlpImpl::MlpImpl(std::int64_t channels, std::int64_t hidden, double drop_) : drop(drop_) {
    fc1 = register_module("fc1", Linear(channels, hidden));
    fc2 = register_module("fc2", Linear(hidden, channels));
}

torch::Tensor MlpImpl::forward(const torch::Tensor& x) {
    const auto hidden = torch::dropout(ops::gelu(fc1->forward(x), fused), drop, is_training());
    return torch::dropout(fc2->forward(hidden), drop, is_training());
}

ConvMlpImpl::ConvMlpImpl(std::int64_t channels, std::int64_t hidden, double drop_) : drop(drop_) {
    fc1 = register_module("fc1", pointwise(channels, hidden));
    fc2 = register_module("fc2", pointwise(hidden, channels));
}

torch::Tensor ConvMlpImpl::forward(const torch::Tensor& input) {
    // The hidden channels, the most of all, stay last between the products, which want them so.
    const bool turned = fused && ops::takes(input) && ops::on_tiles(input) &&
                        !input.is_contiguous(torch::MemoryFormat::ChannelsLast);
    const auto x = turned ? ops::with_channels_last(input) : input;
    const auto hidden = torch::dropout(ops::gelu(fc1->forward(x), fused), drop, is_training());
    const auto y = torch::dropout(fc2->forward(hidden), drop, is_training());
    return turned ? ops::with_channels_first(y) : y;
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
    const auto wide = fc1->forward(x);
    const auto hidden = fused && ops::takes_chain(wide)
                            ? ops::depthwise_gelu(wide, dwconv->dwconv->weight, dwconv->dwconv->bias, 1)
                            : torch::gelu(dwconv->forward(wide));
    return torch::dropout(fc2->forward(torch::dropout(hidden, drop, is_training())), drop, is_training());
}

}  // namespace stl
