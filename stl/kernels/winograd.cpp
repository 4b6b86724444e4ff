#include "stl/kernels/winograd.h"

#include <algorithm>

#include "stl/kernels/parallel.h"

namespace stl::kernels {
namespace {

/// Tiles at a time: their points, before and after the products, stay in the second-level cache.
constexpr int tile_block = 64;

struct Tiles {
    int across, down;  ///< in the plane
    int wide, high;    ///< at a time

    explicit Tiles(const Plane& p)
        : across((p.width + winograd_tile - 1) / winograd_tile),
          down((p.height + winograd_tile - 1) / winograd_tile),
          wide(std::min(across, tile_block)),
          high(std::max(1, tile_block / wide)) {}
    Index count() const { return Index{wide} * high; }
};

}  // namespace

void winograd_weights(const float* filter, float* points) {
    constexpr double p = 0.70710678118654752, q = 1.41421356237309505;
    // Each point's (1, x, x^2), divided by the product of its distances to the others.
    constexpr double at_p = 2 * 0.5 * (0.5 - 2.0), at_q = 2 * 2.0 * (2.0 - 0.5);
    constexpr double g[6][3] = {{1, 0, 0},
                                {1 / at_p, p / at_p, 0.5 / at_p},
                                {1 / at_p, -p / at_p, 0.5 / at_p},
                                {1 / at_q, q / at_q, 2.0 / at_q},
                                {1 / at_q, -q / at_q, 2.0 / at_q},
                                {0, 0, 1}};
    double columns[6][3];  // g * filter
    for (int i = 0; i < 6; ++i) {
        for (int x = 0; x < 3; ++x) {
            columns[i][x] = 0;
            for (int y = 0; y < 3; ++y) columns[i][x] += g[i][y] * static_cast<double>(filter[y * 3 + x]);
        }
    }
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 6; ++j) {
            double value = 0;
            for (int x = 0; x < 3; ++x) value += columns[i][x] * g[j][x];
            points[i * 6 + j] = static_cast<float>(value);
        }
    }
}

WinogradFilters::WinogradFilters(const Source& source, Precision precision) : inputs_(source.padded_inputs) {
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
                kernels.winograd_input({.precision = precision,
                                        .in = plane.at(y + i * side - 1, x - 1),
                                        .pixel = plane.channels,
                                        .line = plane.line(),
                                        .tiles = count,
                                        .columns = plane.channels,
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
                                             .out = c.out + (y + i * side) * c.line + x * c.pixel,
                                             .out_pixel = c.pixel,
                                             .out_line = c.line,
                                             .width = plane.width - x,
                                             .height = plane.height - y - i * side});
                }
            }
        }
    }
}

}  // namespace stl::kernels
