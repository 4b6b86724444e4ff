#include "stl/fast/attention_plan.h"

#include <cmath>
#include <numeric>

#include "stl/fast/slots.h"
#include "stl/models/layers/attention.h"

namespace stl::fast {
namespace {

constexpr int heads = static_cast<int>(attention_heads);
/// Queries at a time: their scores stay in the cache.
constexpr int query_block = 64;

/// Rows of `count` parts of `size` channels, each padded.
kernels::Order padded_heads(int count, int size) {
    return kernels::padded_parts(std::vector<int>(static_cast<std::size_t>(count), size));
}

Map scaled_queries(const Map& qkv) {
    const auto channels = qkv.w.size(0) / 3;
    auto scale = torch::ones({3 * channels}, torch::kDouble);
    scale.narrow(0, 0, channels) /= std::sqrt(static_cast<double>(channels / attention_heads));
    return qkv.times(scale);
}

}  // namespace

std::vector<std::vector<int>> whole_frame(int pixels) {
    std::vector<int> all(static_cast<std::size_t>(pixels));
    std::iota(all.begin(), all.end(), 0);
    return {all};
}

AttentionPlan::AttentionPlan(const Map& qkv, const Map& proj, std::vector<std::vector<int>> groups,
                             const torch::Tensor& bias, Precision precision)
    : precision_(precision),
      head_channels_(static_cast<int>(qkv.w.size(0)) / 3 / heads),
      head_columns_(kernels::padded(head_channels_)),
      size_(static_cast<int>(groups.front().size())),
      qkv_(scaled_queries(qkv), padded_heads(3 * heads, head_channels_),
           kernels::in_order(static_cast<int>(qkv.w.size(1))), precision),
      proj_(proj, kernels::in_order(static_cast<int>(proj.w.size(0))), padded_heads(heads, head_channels_),
            precision),
      groups_(std::move(groups)),
      has_bias_(bias.defined()) {
    if (!has_bias_) return;
    const int row = kernels::padded(size_);
    const auto values = bias.detach().to(torch::kFloat32).contiguous();
    bias_.reserve(static_cast<std::size_t>(heads) * static_cast<std::size_t>(size_) *
                  static_cast<std::size_t>(row));
    for (int i = 0; i < heads * size_; ++i) {
        std::copy_n(values.data_ptr<float>() + Index{i} * size_, size_, bias_.data() + Index{i} * row);
    }
}

void AttentionPlan::run(const Frame& frame, Pixels in, Pixels x) const {
    const auto qkv = frame.workspace.pixels(slot::b, frame.rows(), qkv_.outputs());
    const auto mixed = frame.workspace.pixels(slot::c, frame.rows(), heads * head_columns_, precision_);
    qkv_.run(frame, in, qkv);
    const Trace::Timed timed(frame.trace, "attention",
                             2 * std::int64_t{frame.rows()} * size_ * heads * head_channels_);
    kernels::parallel(static_cast<int>(groups_.size()) * heads, [&](int unit) {
        attend(frame, qkv, mixed, groups_[static_cast<std::size_t>(unit / heads)], unit % heads);
    });
    proj_.run(frame, mixed, x, {x});
}

void AttentionPlan::attend(const Frame& frame, Pixels qkv, Pixels out, const std::vector<int>& group,
                           int head) const {
    const int n = size_, columns = head_columns_, row = kernels::padded(n);
    const Index block = std::min(n, query_block);
    // The group's queries, keys (transposed) and values, and a block's scores and results, one after the
    // other.
    float* q = frame.workspace.scratch(
        static_cast<std::size_t>(2 * n * columns + columns * row + block * (row + columns)));
    float* v = q + Index{n} * columns;
    float* k = v + Index{n} * columns;
    float* scores = k + Index{columns} * row;
    float* result = scores + block * row;
    const Index part = Index{heads} * columns;
    for (int i = 0; i < n; ++i) {
        const float* from = qkv.data + group[static_cast<std::size_t>(i)] * qkv.row + Index{head} * columns;
        std::copy_n(from, columns, q + Index{i} * columns);
        std::copy_n(from + 2 * part, columns, v + Index{i} * columns);
        for (int c = 0; c < head_channels_; ++c) k[Index{c} * row + i] = from[part + c];
    }
    for (int first = 0; first < n; first += static_cast<int>(block)) {
        kernels::Product p;
        p.rows = std::min(static_cast<int>(block), n - first);
        p.a = q + Index{first} * columns;
        p.a_row = columns;
        p.depth = head_channels_;
        p.w = k;
        p.w_row = row;
        p.columns = row;
        p.out = scores;
        p.out_row = row;
        if (has_bias_) {
            p.residual = bias_.data() + (Index{head} * n + first) * row;
            p.residual_row = row;
        }
        frame.kernels.product(p);
        frame.kernels.softmax_rows(scores, row, p.rows, n);
        kernels::Product mix;
        mix.rows = p.rows;
        mix.a = scores;
        mix.a_row = row;
        mix.depth = n;
        mix.w = v;
        mix.w_row = columns;
        mix.columns = columns;
        mix.out = result;
        mix.out_row = columns;
        frame.kernels.product(mix);
        const auto own = out.from(head * columns);
        for (int i = 0; i < p.rows; ++i) {
            const float* from = result + Index{i} * columns;
            float* to = own.data + group[static_cast<std::size_t>(first + i)] * own.row;
            if (out.stored == Precision::float32) {
                std::copy_n(from, columns, to);
            } else {
                frame.kernels.narrow_rows({.in = from, .rows = 1, .columns = columns, .out = to});
            }
        }
    }
}

}  // namespace stl::fast
