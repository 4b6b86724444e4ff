#include "stl/cpu/matrix_product.h"

#include <algorithm>

#include "stl/cpu/parallel.h"
#include "stl/cpu/turn.h"

namespace stl::cpu {
namespace {

// What a thread works on at a time: rows and words of the left factor stay in the second-level cache while panels of
// the right one, each of which fits the first-level cache, go by.
constexpr int depth_block = 256;
constexpr int row_block = 256, panel_group = 4;
constexpr int turned_row_block = 128;  // with its turned rows beside it in the cache
constexpr Index panel_sums = Index{row_block} * panel_columns;
constexpr Index turned_left = Index{turned_row_block} * depth_block;

constexpr int groups(int size, int group) {
    return (size + group - 1) / group;
}

template <class Value>
const Value* at(const void* matrix, Index values) {
    return static_cast<const Value*>(matrix) + values;
}

/// A product's rows [row, row + rows) and panels [panel, last_panel), which one thread computes.
struct Block {
    const MatrixProduct& product;
    const Kernels& kernels;
    int row, rows, panel, last_panel;
    float* scratch;  ///< of this thread

    void run() const {
        const int words = groups(product.depth, 2);
        for (int word = 0; word < words; word += depth_block) {
            const int some = std::min(depth_block, words - word);
            const auto left = product.turned ? turned(word, some) : as_it_is(word);
            for (int p = panel; p < last_panel; ++p) multiply(p, left, word, some, words);
        }
        if (!is_direct()) round_sums();
    }

  private:
    struct Left {
        const float* words;
        Index row;
    };

    int columns(int p) const { return panel_width(p, product.columns); }
    bool is_direct() const { return product.stored == Type::float32; }
    /// Where the sums of a panel are, and from one row to the next.
    float* sums(int p) const {
        if (!is_direct()) return scratch + (p - panel) * panel_sums;
        return static_cast<float*>(product.out) + row * product.out_row + p * panel_columns;
    }
    Index sums_row() const { return is_direct() ? product.out_row : panel_columns; }

    Left as_it_is(int word) const {
        const Index step = product.left_row / 2;
        return {at<float>(product.left, row * step + word), step};
    }

    Left turned(int word, int some) const {
        auto* own = reinterpret_cast<std::uint16_t*>(scratch);
        const Index step = 2 * Index{some};
        const int first = 2 * word, count = std::min(2 * some, product.depth - first);
        turn({.in = product.left + first * product.left_row + row,
              .in_row = product.left_row,
              .rows = count,
              .columns = rows,
              .out = own,
              .out_row = step});
        for (int r = 0; r < rows; ++r) {
            if (count % 2 == 1) own[r * step + count] = 0;
            if (product.left_sums == nullptr || panel > 0) continue;
            const float before = word > 0 ? product.left_sums[row + r] : 0;
            product.left_sums[row + r] = before + kernels.training.sum(own + r * step, count);
        }
        return {scratch, some};
    }

    /// Adds `some` words from `word` on, of `words`, to the sums of a panel.
    void multiply(int p, Left left, int word, int some, int words) const {
        Product part{.precision = Type::bfloat16};
        part.a = left.words;
        part.a_row = left.row;
        part.depth = some;
        part.w = product.right + (Index{p} * words + word) * panel_columns;
        if (p + 1 < last_panel) part.next = part.w + Index{words} * panel_columns;
        part.rows = rows;
        part.columns = columns(p);
        part.out = sums(p);
        part.out_row = sums_row();
        if (word > 0) {
            part.residual = part.out;
            part.residual_row = part.out_row;
        } else if (product.bias) {
            part.bias = product.bias + Index{p} * panel_columns;
        }
        kernels.product(part);
    }

    void round_sums() const {
        for (int p = panel; p < last_panel; ++p) {
            auto* out = static_cast<std::uint16_t*>(product.out) + row * product.out_row + p * panel_columns;
            kernels.narrow_rows({.in = sums(p),
                                 .in_row = panel_columns,
                                 .rows = rows,
                                 .columns = columns(p),
                                 .out = reinterpret_cast<float*>(out),
                                 .out_row = product.out_row / 2});
        }
    }
};

}  // namespace

std::size_t RightFactor::packed_floats() const {
    return static_cast<std::size_t>(panel_count(columns)) * static_cast<std::size_t>(groups(depth, 2)) *
           panel_columns;
}

void RightFactor::pack(const Kernels& kernels, float* to) const {
    const int words = groups(depth, 2), panels = panel_count(columns);
    if (source == Source::turned_float32) {
        parallel(panels, [&](int panel) {
            kernels.narrow_turned({.in = at<float>(in, panel * panel_columns * in_row),
                                   .in_row = in_row,
                                   .rows = panel_width(panel, columns),
                                   .columns = depth,
                                   .out = to + Index{panel} * words * panel_columns,
                                   .out_row = panel_columns});
        });
        return;
    }
    // Some rows at a time over all columns: in the order of memory.
    constexpr int some = 32;
    parallel(groups(depth, some), [&](int unit) {
        const int row = unit * some, rows = std::min(some, depth - row);
        for (int panel = 0; panel < panels; ++panel) {
            const Index from = row * in_row + panel * panel_columns;
            float* out = to + (Index{panel} * words + row / 2) * panel_columns;
            if (source == Source::float32) {
                kernels.narrow_columns({.in = at<float>(in, from),
                                        .in_row = in_row,
                                        .rows = rows,
                                        .columns = panel_width(panel, columns),
                                        .out = out,
                                        .out_row = panel_columns});
            } else {
                kernels.pair_columns({.in = at<std::uint16_t>(in, from),
                                      .in_row = in_row,
                                      .rows = rows,
                                      .columns = panel_width(panel, columns),
                                      .out = out,
                                      .out_row = panel_columns});
            }
        }
    });
}

void MatrixProduct::run(const Kernels& kernels) const {
    const int panels = panel_count(columns);
    const int tall = turned ? turned_row_block : row_block, down = groups(rows, tall);
    // What has been turned serves as many panels as leaves enough blocks for all threads.
    constexpr int blocks_a_thread = 4;
    const int wished = groups(blocks_a_thread * thread_count(), down);
    const int group = turned ? std::max(panel_group, groups(panels, wished)) : panel_group;
    const int across = groups(panels, group);
    parallel(down * across, [&](int unit) {
        const int row = unit / across * tall, panel = unit % across * group;
        Block{.product = *this,
              .kernels = kernels,
              .row = row,
              .rows = std::min(tall, rows - row),
              .panel = panel,
              .last_panel = std::min(panels, panel + group),
              .scratch = scratch + thread_index() * static_cast<Index>(product_scratch())}
            .run();
    });
}

std::size_t product_scratch() {
    return static_cast<std::size_t>(std::max(panel_sums * panel_group, turned_left));
}

}  // namespace stl::cpu
