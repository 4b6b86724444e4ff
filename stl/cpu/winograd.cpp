#include "stl/cpu/winograd.h"

#include <algorithm>

#include "stl/cpu/parallel.h"

namespace stl::cpu {
namespace {

/// Tiles at a time: their points, before and after the products, stay in the second-level cache.
constexpr int tile_block = 64;

int tiles_across(int width) {
    return (width + winograd_tile - 1) / winograd_tile;
}

/// Tiles of a block of WinogradFilterSums: whole lines of them.
Index held_at_most(int width) {
    const int across = tiles_across(width);
    return Index{across} * std::max(1, tile_block / across);
}

struct Tiles {
    int across, down;  ///< in the plane
    int wide, high;    ///< at a time

    explicit Tiles(const Plane& p)
        : across(tiles_across(p.width)),
          down((p.height + winograd_tile - 1) / winograd_tile),
          wide(std::min(across, tile_block)),
          high(std::max(1, tile_block / wide)) {}
    Index count() const { return Index{wide} * high; }
};

Index size_of(Type stored) {
    return stored == Type::bfloat16 ? 2 : 4;
}

// A filter at each point is its (1, x, x^2) there, divided by the product of the point's distances to the
// others.
constexpr double point_p = 0.70710678118654752, point_q = 1.41421356237309505;
constexpr double at_p = 2 * 0.5 * (0.5 - 2.0), at_q = 2 * 2.0 * (2.0 - 0.5);
constexpr double at_points[6][3] = {{1, 0, 0},
                                    {1 / at_p, point_p / at_p, 0.5 / at_p},
                                    {1 / at_p, -point_p / at_p, 0.5 / at_p},
                                    {1 / at_q, point_q / at_q, 2.0 / at_q},
                                    {1 / at_q, -point_q / at_q, 2.0 / at_q},
                                    {0, 0, 1}};

/// Where the output of a pixel goes.
void* place(const WinogradConvolution& c, int y, int x) {
    return static_cast<std::byte*>(c.out) + (y * c.line + x * c.pixel) * size_of(c.stored);
}

}  // namespace

void winograd_weights(const float* filter, float* points) {
    double columns[6][3];  // at_points * filter
    for (int i = 0; i < 6; ++i) {
        for (int x = 0; x < 3; ++x) {
            columns[i][x] = 0;
            for (int y = 0; y < 3; ++y)
                columns[i][x] += at_points[i][y] * static_cast<double>(filter[y * 3 + x]);
        }
    }
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 6; ++j) {
            double value = 0;
            for (int x = 0; x < 3; ++x) value += columns[i][x] * at_points[j][x];
            points[i * 6 + j] = static_cast<float>(value);
        }
    }
}

void winograd_weights_gradient(const float* points, float* filter) {
    double rows[3][6] = {};  // transposed at_points * points
    for (int y = 0; y < 3; ++y) {
        for (int i = 0; i < 6; ++i) {
            for (int j = 0; j < 6; ++j)
                rows[y][j] += at_points[i][y] * static_cast<double>(points[i * 6 + j]);
        }
    }
    for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 3; ++x) {
            double value = 0;
            for (int j = 0; j < 6; ++j) value += rows[y][j] * at_points[j][x];
            filter[y * 3 + x] = static_cast<float>(value);
        }
    }
}

WinogradFilters::WinogradFilters(const Source& source, Type precision) : inputs_(source.padded_inputs) {
    const auto size = static_cast<std::size_t>(source.outputs) * static_cast<std::size_t>(source.inputs);
    std::vector<float> by_point(size * winograd_points);
    parallel(source.outputs, [&](int o) {
        for (int i = 0; i < source.inputs; ++i) {
            const float* from = source.weight + o * source.output_step + i * source.input_step;
            float filter[9], points[winograd_points];
            for (int tap = 0; tap < 9; ++tap) filter[tap] = from[source.turned ? 8 - tap : tap];
            winograd_weights(filter, points);
            const auto at = static_cast<std::size_t>(o) * static_cast<std::size_t>(source.inputs) +
                            static_cast<std::size_t>(i);
            for (std::size_t p = 0; p < winograd_points; ++p) by_point[p * size + at] = points[p];
        }
    });
    auto depths = in_order(source.inputs);
    depths.resize(static_cast<std::size_t>(source.padded_inputs), -1);
    const auto outputs = in_order(source.outputs);
    points_.resize(winograd_points);
    parallel(winograd_points, [&](int p) {
        const auto point = static_cast<std::size_t>(p);
        points_[point] = Panels(by_point.data() + point * size, source.inputs, outputs, depths, precision);
    });
}

std::size_t winograd_scratch(const Plane& plane, int outputs) {
    return static_cast<std::size_t>(winograd_points * Tiles(plane).count() * (plane.channels + outputs));
}

void winograd(const Kernels& kernels, const Plane& plane, std::span<const WinogradConvolution> convolutions,
              float* scratch) {
    constexpr int side = winograd_tile;
    const Tiles tiles(plane);
    const auto precision = convolutions.front().filters->precision();
    const int words = words_of(precision, plane.channels);
    const Index in_points = tiles.count() * words;
    float* before = scratch;
    float* after = scratch + winograd_points * in_points;
    for (int top = 0; top < tiles.down; top += tiles.high) {
        for (int left = 0; left < tiles.across; left += tiles.wide) {
            const int lines = std::min(tiles.high, tiles.down - top),
                      count = std::min(tiles.wide, tiles.across - left);
            const int y = top * side, x = left * side;
            for (int i = 0; i < lines; ++i) {
                kernels.winograd_input({.stored = plane.stored,
                                        .in = plane.at(y + i * side - 1, x - 1),
                                        .pixel = plane.channels,
                                        .line = Index{plane.columns()} * plane.channels,
                                        .tiles = count,
                                        .columns = plane.channels,
                                        .precision = precision,
                                        .out = before + Index{i} * count * words,
                                        .point_stride = in_points});
            }
            for (const auto& c : convolutions) {
                const int outputs = c.filters->outputs();
                const Index out_points = tiles.count() * outputs;
                for (int point = 0; point < winograd_points; ++point) {
                    const auto& panels = c.filters->at(point);
                    for (int panel = 0; panel < panels.count(); ++panel) {
                        Product p;
                        p.precision = precision;
                        p.a = before + point * in_points;
                        p.a_row = words;
                        p.depth = words;
                        p.w = panels.panel(panel);
                        p.rows = lines * count;
                        p.columns = panels.columns(panel);
                        p.out = after + point * out_points + panel * panel_columns;
                        p.out_row = outputs;
                        kernels.product(p);
                    }
                }
                for (int i = 0; i < lines; ++i) {
                    kernels.winograd_output({.in = after + Index{i} * count * outputs,
                                             .point_stride = out_points,
                                             .tiles = count,
                                             .columns = outputs,
                                             .bias = c.bias,
                                             .stored = c.stored,
                                             .out = place(c, y + i * side, x),
                                             .out_pixel = c.pixel,
                                             .out_line = c.line,
                                             .width = plane.width - x,
                                             .height = plane.height - y - i * side});
                }
            }
        }
    }
}

WinogradFilterSums::WinogradFilterSums(const Kernels& kernels, int width, int inputs, int outputs,
                                       float* scratch, float* sums)
    : kernels_(kernels),
      inputs_(inputs),
      outputs_(outputs),
      capacity_(held_at_most(width)),
      before_(scratch),
      after_(scratch + winograd_points * capacity_ * inputs),
      sums_(sums) {
    for (Index tile = 0; tile < capacity_; ++tile) taps_.push_back(tile * inputs);
}

std::size_t WinogradFilterSums::scratch_floats(int width, int inputs, int outputs) {
    return static_cast<std::size_t>(winograd_points * held_at_most(width) * (inputs + outputs));
}

std::size_t WinogradFilterSums::sums_floats(int inputs, int outputs) {
    return static_cast<std::size_t>(winograd_points) * static_cast<std::size_t>(inputs) *
           static_cast<std::size_t>(outputs);
}

void WinogradFilterSums::add(const Plane& x, const void* grad) {
    constexpr int side = winograd_tile;
    const int across = tiles_across(x.width);
    const Index line = Index{x.width} * outputs_;
    for (int top = 0; top < x.height; top += side) {
        if (held_ + across > capacity_) finish();
        kernels_.winograd_input({.stored = x.stored,
                                 .in = x.at(top - 1, -1),
                                 .pixel = x.channels,
                                 .line = Index{x.columns()} * x.channels,
                                 .tiles = across,
                                 .columns = inputs_,
                                 .out = before_ + held_ * inputs_,
                                 .point_stride = capacity_ * inputs_});
        kernels_.winograd_output_gradient(
            {.stored = x.stored,
             .in = static_cast<const std::byte*>(grad) + top * line * size_of(x.stored),
             .pixel = outputs_,
             .line = line,
             .width = x.width,
             .height = x.height - top,
             .tiles = across,
             .columns = outputs_,
             .out = after_ + held_ * outputs_,
             .point_stride = capacity_ * outputs_});
        held_ += across;
    }
}

void WinogradFilterSums::finish() {
    for (Index point = 0; point < winograd_points; ++point) {
        for (int column = 0; column < outputs_; column += panel_columns) {
            // Inputs are the rows, tiles what is summed over: one tap each.
            Product p;
            p.a = before_ + point * capacity_ * inputs_;
            p.a_row = 1;
            p.taps = taps_.data();
            p.tap_count = static_cast<int>(held_);
            p.depth = 1;
            p.w = after_ + point * capacity_ * outputs_ + column;
            p.w_row = outputs_;
            p.rows = inputs_;
            p.columns = std::min(panel_columns, outputs_ - column);
            p.out = sums_ + point * inputs_ * outputs_ + column;
            p.out_row = outputs_;
            p.residual = p.out;
            p.residual_row = outputs_;
            kernels_.product(p);
        }
    }
    held_ = 0;
}

}  // namespace stl::cpu
