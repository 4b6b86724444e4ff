#include "stl/inference/cpu/attention_plan.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "stl/inference/cpu/slots.h"
#include "stl/models/layers/attention.h"

namespace stl::inference {
namespace {

constexpr int heads = static_cast<int>(attention_heads);
/// Queries at a time: their scores stay in the cache.
constexpr int query_block = 64;

/// Rows of `count` parts of `size` channels, each padded.
cpu::Order padded_heads(int count, int size) {
    return cpu::padded_parts(std::vector<int>(static_cast<std::size_t>(count), size));
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
                             const torch::Tensor& bias, const Planning& planning)
    : head_channels_(static_cast<int>(qkv.w.size(0)) / 3 / heads),
      head_columns_(cpu::padded(head_channels_)),
      size_(static_cast<int>(groups.front().size())),
      qkv_(scaled_queries(qkv), padded_heads(3 * heads, head_channels_),
           cpu::in_order(static_cast<int>(qkv.w.size(1))), planning),
      proj_(proj, cpu::in_order(static_cast<int>(proj.w.size(0))), padded_heads(heads, head_channels_),
            planning),
      groups_(std::move(groups)),
      has_bias_(bias.defined()) {
    if (!has_bias_) return;
    const int row = cpu::padded(size_);
    const auto values = bias.detach().to(torch::kFloat32).contiguous();
    bias_.reserve(static_cast<std::size_t>(heads) * static_cast<std::size_t>(size_) *
                  static_cast<std::size_t>(row));
    for (int i = 0; i < heads * size_; ++i) {
        std::copy_n(values.data_ptr<float>() + Index{i} * size_, size_, bias_.data() + Index{i} * row);
    }
}

void AttentionPlan::run(const Frame& frame, Pixels in, Pixels x) const {
    const auto qkv = frame.workspace.pixels(slot::b, frame.rows(), qkv_.outputs());
    const auto mixed =
        frame.workspace.pixels(slot::c, frame.rows(), heads * head_columns_, proj_.precision());
    qkv_.run(frame, in, qkv);
    const Trace::Timed timed(frame.trace, "attention",
                             2 * std::int64_t{frame.rows()} * size_ * heads * head_channels_);
    cpu::parallel(static_cast<int>(groups_.size()) * heads, [&](int unit) {
        attend(frame, qkv, mixed, groups_[static_cast<std::size_t>(unit / heads)], unit % heads);
    });
    proj_.run(frame, mixed, x, {x});
}

AttentionPlan::Factors AttentionPlan::factors(const Frame& frame) const {
    const auto stored = frame.kernels.has_tiles ? qkv_.precision() : Type::float32;
    const int n = size_, block = std::min(n, query_block);
    Factors f{.stored = stored,
              .block = block,
              .row = cpu::padded(n),
              .depth = cpu::words_of(stored, head_channels_),
              .pixels = cpu::words_of(stored, n)};
    // Queries, values and keys.
    const Index gathered = Index{n} * cpu::words_of(stored, head_columns_) + Index{f.pixels} * head_columns_ +
                           Index{f.depth} * f.row;
    // First the values and a key that pairs are made of; afterwards a block's scores, results and scores in pairs.
    const Index rest =
        std::max(Index{n} * head_columns_ + f.depth, Index{block} * (f.row + head_columns_ + f.pixels));
    f.floats = static_cast<std::size_t>(gathered + rest);
    return f;
}

AttentionPlan::Gathered AttentionPlan::gather(const Frame& frame, const Factors& f, Pixels qkv,
                                              const std::vector<int>& group, int head) const {
    const int n = size_, columns = head_columns_;
    const Index part = Index{heads} * columns, query_row = cpu::words_of(f.stored, columns);
    float* scratch = frame.workspace.scratch(f.floats);
    Gathered g{.queries = {scratch, query_row, f.stored}};
    g.values = scratch + n * query_row;
    g.keys = g.values + f.pixels * Index{columns};
    g.rest = g.keys + f.depth * Index{f.row};
    const bool pairs = f.stored == Type::bfloat16;
    float* values = pairs ? g.rest : g.values;  // to be paired down the pixels
    float* key = g.rest + Index{n} * columns;   // a pixel's, in pairs
    for (int i = 0; i < n; ++i) {
        const auto from = qkv.below(group[static_cast<std::size_t>(i)]).from(head * columns);
        store_rows(frame, from, g.queries.below(i), 1, columns);
        std::copy_n(from.data + 2 * part, columns, values + Index{i} * columns);
        const float* words = from.data + part;
        if (pairs) {
            store_rows(frame, from.from(heads * columns), {key, 0, f.stored}, 1, head_channels_);
            words = key;
        }
        for (int c = 0; c < f.depth; ++c)
            std::memcpy(g.keys + Index{c} * f.row + i, words + c, sizeof(float));
    }
    if (pairs) {
        frame.kernels.narrow_columns({.in = values,
                                      .in_row = columns,
                                      .rows = n,
                                      .columns = columns,
                                      .out = g.values,
                                      .out_row = columns});
    }
    return g;
}

void AttentionPlan::attend(const Frame& frame, Pixels qkv, Pixels out, const std::vector<int>& group,
                           int head) const {
    const auto f = factors(frame);
    const auto g = gather(frame, f, qkv, group, head);
    const int n = size_, columns = head_columns_;
    const Pixels scores{g.rest, f.row}, result{g.rest + Index{f.block} * f.row, columns};
    // The scores as the second product takes them.
    const auto shares = f.stored == Type::float32
                            ? scores
                            : Pixels{result.data + Index{f.block} * columns, f.pixels, f.stored};
    const auto own = out.from(head * columns);
    for (int first = 0; first < n; first += f.block) {
        cpu::Product p;
        p.precision = f.stored;
        p.rows = std::min(f.block, n - first);
        p.a = g.queries.below(first).data;
        p.a_row = g.queries.row;
        p.depth = f.depth;
        p.w = g.keys;
        p.w_row = f.row;
        p.columns = f.row;
        p.out = scores.data;
        p.out_row = scores.row;
        if (has_bias_) {
            p.residual = bias_.data() + (Index{head} * n + first) * f.row;
            p.residual_row = f.row;
        }
        frame.kernels.product(p);
        frame.kernels.softmax_rows(scores.data, scores.row, p.rows, n);
        if (shares.stored != scores.stored) store_rows(frame, scores, shares, p.rows, n);
        cpu::Product mix;
        mix.precision = f.stored;
        mix.rows = p.rows;
        mix.a = shares.data;
        mix.a_row = shares.row;
        mix.depth = f.pixels;
        mix.w = g.values;
        mix.w_row = columns;
        mix.columns = columns;
        mix.out = result.data;
        mix.out_row = result.row;
        frame.kernels.product(mix);
        for (int i = 0; i < p.rows; ++i) {
            const auto pixel = group[static_cast<std::size_t>(first + i)];
            store_rows(frame, result.below(i), own.below(pixel), 1, columns);
        }
    }
}

}  // namespace stl::inference
