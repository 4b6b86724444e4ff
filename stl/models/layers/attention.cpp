#include "stl/models/layers/attention.h"

#include <cmath>

namespace stl {
namespace {

/// LibTorch's own, which keeps no scores, spends most of its time in small products of its backward pass that are
/// not on tiles. Up to so many tokens the scores are no more than a layer's other memory, and whole products over
/// them take half the time.
constexpr std::int64_t most_tokens = 1024;

torch::Tensor mixed_by_products(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v) {
    const auto scale = 1.0 / std::sqrt(static_cast<double>(q.size(-1)));
    return torch::matmul(torch::softmax(torch::matmul(q * scale, k.transpose(-2, -1)), -1), v);
}

}  // namespace

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
    const auto mixed = fused && ops::on_tiles(x) && tokens <= most_tokens
                           ? mixed_by_products(parts[0], parts[1], parts[2])
                           : torch::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    return torch::dropout(proj->forward(mixed.transpose(1, 2).reshape({batch, tokens, channels})), drop,
                          is_training());
}

std::int64_t AttentionImpl::matmul_macs(std::int64_t positions) const {
    return 2 * positions * positions * proj->weight.size(0);
}

}  // namespace stl
