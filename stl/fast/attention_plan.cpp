#include "stl/fast/attention_plan.h"

#include <cmath>
#include <cstring>
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

AttentionPlan::Factors AttentionPlan::factors(const Frame& frame) const {
    const auto stored = frame.kernels.has_tiles ? precision_ : Precision::float32;
    const int n = size_, block = std::min(n, query_block);
    Factors f{.stored = stored,
              .block = block,
              .row = kernels::padded(n),
              .depth = kernels::words_of(stored, head_channels_),
              .pixels = kernels::words_of(stored, n)};
    const Index words_row = kernels::words_of(stored, head_columns_);
    // Queries, values and keys, a block's scores and results, and, for pairs, what they are made of.
    f.floats = static_cast<std::size_t>(n * words_row + f.pixels * Index{head_columns_} + f.depth * f.row +
                                        block * (f.row + head_columns_));
    if (stored == Precision::bfloat16)
        f.floats += static_cast<std::size_t>(n * head_columns_ + block * f.pixels + f.depth);
    return f;
}

void AttentionPlan::attend(const Frame& frame, Pixels qkv, Pixels out, const std::vector<int>& group,
                           int head) const {
    const auto f = factors(frame);
    const bool pairs = f.stored == Precision::bfloat16;
    const int n = size_, columns = head_columns_;
    const Index query_row = kernels::words_of(f.stored, columns);
    float* q = frame.workspace.scratch(f.floats);
    float* v = q + n * query_row;
    float* k = v + f.pixels * Index{columns};
    float* scores = k + f.depth * f.row;
    float* result = scores + f.block * f.row;
    float* own_values = pairs ? result + Index{f.block} * columns : v;
    float* own_scores = pairs ? own_values + Index{n} * columns : scores;
    float* keys = own_scores + f.block * Index{f.pixels};  // of one pixel
    const Index part = Index{heads} * columns;
    for (int i = 0; i < n; ++i) {
        const float* from = qkv.data + group[static_cast<std::size_t>(i)] * qkv.row + Index{head} * columns;
        std::copy_n(from + 2 * part, columns, own_values + Index{i} * columns);
        if (!pairs) {
            std::copy_n(from, columns, q + i * query_row);
            for (int c = 0; c < head_channels_; ++c) k[c * f.row + i] = from[part + c];
            continue;
        }
        frame.kernels.narrow_rows({.in = from, .rows = 1, .columns = columns, .out = q + i * query_row});
        frame.kernels.narrow_rows({.in = from + part, .rows = 1, .columns = head_channels_, .out = keys});
        for (int c = 0; c < f.depth; ++c) std::memcpy(k + c * f.row + i, keys + c, sizeof(float));
    }
    if (pairs) {
        frame.kernels.narrow_columns({.in = own_values,
                                      .in_row = columns,
                                      .rows = n,
                                      .columns = columns,
                                      .out = v,
                                      .out_row = columns});
    }
    for (int first = 0; first < n; first += f.block) {
        kernels::Product p;
        p.precision = f.stored;
        p.rows = std::min(f.block, n - first);
        p.a = q + first * query_row;
        p.a_row = query_row;
        p.depth = f.depth;
        p.w = k;
        p.w_row = f.row;
        p.columns = f.row;
        p.out = scores;
        p.out_row = f.row;
        if (has_bias_) {
            p.residual = bias_.data() + (Index{head} * n + first) * f.row;
            p.residual_row = f.row;
        }
        frame.kernels.product(p);
        frame.kernels.softmax_rows(scores, f.row, p.rows, n);
        if (pairs) {
            frame.kernels.narrow_rows({.in = scores,
                                       .in_row = f.row,
                                       .rows = p.rows,
                                       .columns = n,
                                       .out = own_scores,
                                       .out_row = f.pixels});
        }
        kernels::Product mix;
        mix.precision = f.stored;
        mix.rows = p.rows;
        mix.a = own_scores;
        mix.a_row = pairs ? f.pixels : f.row;
        mix.depth = f.pixels;
        mix.w = v;
        mix.w_row = columns;
        mix.columns = columns;
        mix.out = result;
        mix.out_row = columns;
        frame.kernels.product(mix);
        put(frame, result, p.rows, out.from(head * columns),
            std::span(group).subspan(static_cast<std::size_t>(first)));
    }
}

void AttentionPlan::put(const Frame& frame, const float* result, int rows, Pixels out,
                        std::span<const int> pixels) const {
    for (int i = 0; i < rows; ++i) {
        const float* from = result + Index{i} * head_columns_;
        float* to = out.data + pixels[static_cast<std::size_t>(i)] * out.row;
        if (out.stored == Precision::float32) {
            std::copy_n(from, head_columns_, to);
        } else {
            frame.kernels.narrow_rows({.in = from, .rows = 1, .columns = head_columns_, .out = to});
        }
    }
}

}  // namespace stl::fast
