#include "stl/models/layers/attention.h"

namespace stl {

AttentionImpl::AttentionImpl(std::int64_t channels, double drop_) : drop(drop_) {
    qkv = register_module("qkv", Linear(channels, 3 * channels));
    proj = register_module("proj", Linear(channels, channels));
}

torch::Tensor AttentionImpl::forward(const torch::Tensor& x) {
    const auto batch = x.size(0), tokens = x.size(1), channels = x.size(2);
    const auto parts = qkv->forward(x)
                           .reshape({batch, tokens, 3, attention_heads, channels / attention_heads})
                           .permute({2, 0, 3, 1, 4})  // [3,B,heads,N,C/heads]
                           .unbind(0);
    const auto mixed = ops().attention(parts[0], parts[1], parts[2]);
    return torch::dropout(proj->forward(mixed.transpose(1, 2).reshape({batch, tokens, channels})), drop,
                          is_training());
}

std::int64_t AttentionImpl::matmul_macs(std::int64_t positions) const {
    return 2 * positions * positions * proj->weight.size(0);
}

}  // namespace stl
