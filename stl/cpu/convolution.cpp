#include "stl/cpu/convolution.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "stl/cpu/buffer.h"
#include "stl/cpu/parallel.h"
#include "stl/cpu/plane.h"
#include "stl/cpu/turn.h"

namespace stl::cpu {
namespace {

std::size_t size(Index n) {
    return static_cast<std::size_t>(n);
}

Index rounded_up(Index n, Index step) {
    return (n + step - 1) / step * step;
}

// Forward. A group of a picture is laid out with zeros around it: a filter line's pixels and channels are then
// contiguous, and the convolution is a product with one tap a filter line.

Plane plane_of(const ConvolutionShape& s) {
    return {.height = s.height,
            .width = s.width,
            .channels = s.inputs,
            .border = s.border(),
            .spare = 0,
            .stored = Type::bfloat16};
}

/// Lines whose sums stay in the second-level cache until they are rounded.
int lines_together(const ConvolutionShape& s) {
    constexpr int floats = 1 << 15;
    return std::clamp(floats / (s.width * s.outputs), 1, s.height);
}

/// One group of one picture.
class GroupOfPicture {
  public:
    GroupOfPicture(const PictureConvolution& c, const Kernels& kernels, int picture, int group)
        : c_(c), s_(c.shape), kernels_(kernels), picture_(picture), group_(group), plane_(plane_of(c.shape)) {
        plane_.data = c.scratch + size(thread_index()) * c.scratch_floats();
        sums_ = plane_.data + plane_.floats();
        for (int ky = 0; ky < s_.kernel; ++ky) taps_.push_back(ky * plane_.line());
    }

    void run() {
        lay_out();
        const int together = lines_together(s_);
        for (int line = 0; line < s_.height; line += together) {
            const int lines = std::min(together, s_.height - line);
            for (int panel = 0; panel < panel_count(s_.outputs); ++panel) multiply(line, lines, panel);
            round(line, lines);
        }
    }

  private:
    /// Only the inside: the border is zero and stays so.
    void lay_out() {
        const Index pixel = Index{s_.groups} * s_.inputs;
        const auto* from = c_.in + Index{picture_} * s_.pixels() * pixel + group_ * s_.inputs;
        const int runs = s_.groups == 1 ? 1 : s_.width;
        const auto bytes = size(Index{s_.width} / runs * s_.inputs) * sizeof *from;
        for (int y = 0; y < s_.height; ++y, from += s_.width * pixel) {
            for (int x = 0; x < runs; ++x) std::memcpy(plane_.at(y, x), from + x * pixel, bytes);
        }
    }

    void multiply(int line, int lines, int panel) const {
        Product p{.precision = Type::bfloat16};
        p.a = plane_.at(line - s_.border(), -s_.border());
        p.a_row = plane_.pixel();
        p.taps = taps_.data();
        p.tap_count = s_.kernel;
        p.depth = s_.kernel * plane_.pixel();
        const Index depth = Index{p.tap_count} * p.depth;
        p.w = c_.filters + (Index{group_} * panel_count(s_.outputs) + panel) * depth * panel_columns;
        p.rows = s_.width;
        p.columns = panel_width(panel, s_.outputs);
        p.lines = lines;
        p.a_line = plane_.line();
        p.out = sums_ + panel * panel_columns;
        p.out_row = s_.outputs;
        p.out_line = Index{s_.width} * s_.outputs;
        if (c_.bias) p.bias = c_.bias + group_ * s_.outputs + panel * panel_columns;
        kernels_.product(p);
    }

    void round(int line, int lines) const {
        const Index pixel = Index{s_.groups} * s_.outputs;
        auto* out = c_.out + (Index{picture_} * s_.height + line) * s_.width * pixel + group_ * s_.outputs;
        kernels_.narrow_rows({.in = sums_,
                              .in_row = s_.outputs,
                              .rows = lines * s_.width,
                              .columns = s_.outputs,
                              .out = reinterpret_cast<float*>(out),
                              .out_row = pixel / 2});
    }

    const PictureConvolution& c_;
    const ConvolutionShape& s_;
    const Kernels& kernels_;
    int picture_, group_;
    Plane plane_;
    float* sums_;
    std::vector<Index> taps_;
};

// The filters' gradient is a product whose depth are the pixels. The left factor is the picture turned around, channel by
// channel, once for each place in a filter line: shifted by it, so that all places find their pixels in pairs. A filter
// line further down begins a line of pixels later.

/// Memory of the turned planes and of the gradient's pixel pairs.
struct TurnedPlanes {
    explicit TurnedPlanes(const ConvolutionShape& s)
        : line(rounded_up(s.width, 2 * column_step) / 2),
          // An odd number of cache lines: rows do not compete for places in the caches.
          channel(rounded_up((s.height + 2 * s.border()) * line, 2 * column_step) + column_step),
          shift(s.inputs * channel),
          panel(s.height * line * panel_columns),
          together(std::clamp(first_level_words / static_cast<int>(line), 1, s.height)) {}

    // In words, from one to the next.
    Index line, channel, shift, panel;
    int together;  ///< lines whose pixels stay in the first-level cache for all filter lines

    static constexpr int first_level_words = 256;
};

/// One group of a part's pictures.
class GroupOfPart {
  public:
    GroupOfPart(const FilterGradient& f, const Kernels& kernels, int group, int first, int last, float* sums)
        : f_(f),
          s_(f.shape),
          kernels_(kernels),
          group_(group),
          first_(first),
          last_(last),
          planes_(s_),
          turned_(f.scratch + size(thread_index()) * f.scratch_floats()),
          grads_(turned_ + s_.kernel * planes_.shift),
          ones_(grads_ + panel_count(s_.outputs) * planes_.panel),
          sums_(sums) {
        auto* one = reinterpret_cast<std::uint16_t*>(ones_);
        constexpr std::uint16_t one_in_bfloat16 = 0x3f80;
        std::fill_n(one, 2 * planes_.together * planes_.line, one_in_bfloat16);
    }

    void run() {
        for (int picture = first_; picture < last_; ++picture) {
            turn_inputs(picture);
            pair_gradient(picture);
            for (int line = 0; line < s_.height; line += planes_.together) {
                const int lines = std::min(planes_.together, s_.height - line);
                const bool is_first = picture == first_ && line == 0;
                for (int panel = 0; panel < panel_count(s_.outputs); ++panel) {
                    for (int kx = 0; kx < s_.kernel; ++kx) add(line, lines, panel, kx, is_first);
                    if (f_.bias_out) add_to_bias(line, lines, panel, is_first);
                }
            }
        }
    }

  private:
    void turn_inputs(int picture) {
        const Index pixel = Index{s_.groups} * s_.inputs, line = 2 * planes_.line;
        auto* const middle = reinterpret_cast<std::uint16_t*>(turned_ + s_.border() * planes_.shift);
        const auto* from = f_.in + Index{picture} * s_.pixels() * pixel + group_ * s_.inputs;
        for (int y = 0; y < s_.height; ++y, from += s_.width * pixel) {
            turn({.in = from,
                  .in_row = pixel,
                  .rows = s_.width,
                  .columns = s_.inputs,
                  .out = middle + (y + s_.border()) * line,
                  .out_row = 2 * planes_.channel});
        }
        for (int kx = 0; kx < s_.kernel; ++kx) {
            if (kx != s_.border()) shift(middle, kx - s_.border());
        }
    }

    /// To where place `by` of a filter line, from its middle, looks; what lies outside of the picture is zero and stays so.
    void shift(const std::uint16_t* middle, int by) {
        const int width = std::max(0, s_.width - std::abs(by));
        auto* const to = reinterpret_cast<std::uint16_t*>(turned_ + (by + s_.border()) * planes_.shift);
        const Index from_x = std::max(by, 0), to_x = std::max(-by, 0);
        for (int c = 0; c < s_.inputs; ++c) {
            for (int y = s_.border(); y < s_.border() + s_.height; ++y) {
                const Index at = 2 * (c * planes_.channel + y * planes_.line);
                std::memcpy(to + at + to_x, middle + at + from_x, size(width) * sizeof *to);
            }
        }
    }

    void pair_gradient(int picture) {
        const Index pixel = Index{s_.groups} * s_.outputs;
        const auto* from = f_.grad + Index{picture} * s_.pixels() * pixel + group_ * s_.outputs;
        const bool dense = s_.width == 2 * planes_.line;  // no gaps behind the lines
        const int runs = dense ? 1 : s_.height;
        for (int panel = 0; panel < panel_count(s_.outputs); ++panel) {
            for (int y = 0; y < runs; ++y) {
                kernels_.pair_columns(
                    {.in = from + Index{y} * s_.width * pixel + panel * panel_columns,
                     .in_row = pixel,
                     .rows = s_.pixels() / runs,
                     .columns = panel_width(panel, s_.outputs),
                     .out = grads_ + panel * planes_.panel + y * planes_.line * panel_columns,
                     .out_row = panel_columns});
            }
        }
    }

    /// The pixels of some lines to the sums of a panel of outputs, for one place of all filter lines. is_first: to none.
    void add(int line, int lines, int panel, int kx, bool is_first) const {
        const Index place = Index{s_.inputs} * s_.outputs;
        auto p = product_of(line, lines, panel);
        p.a = turned_ + kx * planes_.shift + line * planes_.line;
        p.a_row = planes_.channel;
        p.rows = s_.inputs;
        p.lines = s_.kernel;
        p.a_line = planes_.line;
        p.out = sums_ + kx * place + panel * panel_columns;
        p.out_line = s_.kernel * place;
        add(p, is_first);
    }

    /// The bias's gradient: as of one more input, which is 1 everywhere.
    void add_to_bias(int line, int lines, int panel, bool is_first) const {
        auto p = product_of(line, lines, panel);
        p.a = ones_;
        p.rows = 1;
        p.out = sums_ + Index{s_.kernel} * s_.kernel * s_.inputs * s_.outputs + panel * panel_columns;
        add(p, is_first);
    }

    /// With the gradient as its right factor.
    Product product_of(int line, int lines, int panel) const {
        Product p{.precision = Type::bfloat16};
        p.depth = lines * static_cast<int>(planes_.line);
        p.w = grads_ + panel * planes_.panel + line * planes_.line * panel_columns;
        p.columns = panel_width(panel, s_.outputs);
        p.out_row = s_.outputs;
        return p;
    }

    void add(Product p, bool is_first) const {
        if (!is_first) {
            p.residual = p.out;
            p.residual_row = p.out_row;
            p.residual_line = p.out_line;
        }
        kernels_.product(p);
    }

    const FilterGradient& f_;
    const ConvolutionShape& s_;
    const Kernels& kernels_;
    int group_, first_, last_;
    TurnedPlanes planes_;
    float *turned_, *grads_, *ones_, *sums_;
};

}  // namespace

std::size_t Filters::packed_floats() const {
    const auto& s = shape;
    const int in = turned ? s.outputs : s.inputs, out = turned ? s.inputs : s.outputs;
    return size(Index{s.groups} * panel_count(out) * s.kernel * s.kernel * (in / 2) * panel_columns);
}

void Filters::pack(const Kernels& kernels, float* to) const {
    const int in = turned ? shape.outputs : shape.inputs, out = turned ? shape.inputs : shape.outputs;
    const int taps = shape.kernel * shape.kernel;
    const Index filter = Index{shape.inputs} * taps;  // of an output
    // From one input or output to the next, as the convolution has them.
    const Index in_step = turned ? filter : taps, out_step = turned ? taps : filter;
    const Index tap_step = Index{in / 2} * panel_columns;
    parallel(shape.groups * panel_count(out), [&](int unit) {
        const int group = unit / panel_count(out), panel = unit % panel_count(out),
                  columns = panel_width(panel, out);
        const float* from = weight + group * shape.outputs * filter + panel * panel_columns * out_step;
        float* const packed = to + unit * taps * tap_step;
        Buffer pairs(size(Index{panel_columns} * taps));  // of two inputs: [output][tap]
        for (int pair = 0; pair < in / 2; ++pair) {
            for (int column = 0; column < columns; ++column) {
                kernels.narrow_columns({.in = from + 2 * pair * in_step + column * out_step,
                                        .in_row = in_step,
                                        .rows = 2,
                                        .columns = taps,
                                        .out = pairs.data() + column * taps,
                                        .out_row = taps});
            }
            turn({.in = pairs.data(),
                  .in_row = taps,
                  .rows = columns,
                  .columns = taps,
                  .out = packed + (turned ? (taps - 1) * tap_step : 0) + pair * panel_columns,
                  .out_row = turned ? -tap_step : tap_step});
        }
    });
}

std::size_t PictureConvolution::scratch_floats() const {
    return plane_of(shape).floats() + size(Index{lines_together(shape)} * shape.width * shape.outputs);
}

void PictureConvolution::run(const Kernels& kernels) const {
    parallel(shape.pictures * shape.groups, [&](int unit) {
        GroupOfPicture(*this, kernels, unit / shape.groups, unit % shape.groups).run();
    });
}

int FilterGradient::parts() const {
    // Enough for many threads, and the same for any number; the sums are to be little beside a network's memory.
    constexpr int units = 8;
    constexpr std::size_t floats = std::size_t{1} << 22U;
    const auto all = group_sums() * size(shape.groups);
    return std::clamp(std::min(units / shape.groups, static_cast<int>(floats / all)), 1, shape.pictures);
}

std::size_t FilterGradient::group_sums() const {
    return size((Index{shape.kernel} * shape.kernel * shape.inputs + 1) * shape.outputs);
}

std::size_t FilterGradient::sums_floats() const {
    return size(parts()) * size(shape.groups) * group_sums();
}

std::size_t FilterGradient::scratch_floats() const {
    const TurnedPlanes planes(shape);
    return size(shape.kernel * planes.shift + panel_count(shape.outputs) * planes.panel +
                planes.together * planes.line);
}

void FilterGradient::run(const Kernels& kernels) const {
    const int count = parts();
    const auto sums_of = [&](int part, int group) {
        return sums + (size(part) * size(shape.groups) + size(group)) * group_sums();
    };
    parallel(count * shape.groups, [&](int unit) {
        const int part = unit / shape.groups, group = unit % shape.groups;
        GroupOfPart(*this, kernels, group, shape.pictures * part / count, shape.pictures * (part + 1) / count,
                    sums_of(part, group))
            .run();
    });
    // The parts together; then [ky][kx][input][output] -> [output][input][ky][kx], an input at a time.
    const int taps = shape.kernel * shape.kernel;
    const Index place = Index{shape.inputs} * shape.outputs;
    const auto add_parts = [&](int group, Index at) {
        float* const total = sums_of(0, group) + at;
        for (int part = 1; part < count; ++part) {
            const float* more = sums_of(part, group) + at;
            for (int o = 0; o < shape.outputs; ++o) total[o] += more[o];
        }
        return total;
    };
    parallel(shape.groups * shape.inputs, [&](int unit) {
        const int group = unit / shape.inputs, input = unit % shape.inputs;
        for (int tap = 0; tap < taps; ++tap) add_parts(group, tap * place + Index{input} * shape.outputs);
        turn({.in = sums_of(0, group) + Index{input} * shape.outputs,
              .in_row = place,
              .rows = taps,
              .columns = shape.outputs,
              .out = out + (group * place + input) * taps,
              .out_row = Index{shape.inputs} * taps});
        if (input > 0 || !bias_out) return;
        std::copy_n(add_parts(group, taps * place), shape.outputs, bias_out + Index{group} * shape.outputs);
    });
}

}  // namespace stl::cpu
