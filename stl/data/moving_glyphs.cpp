#include "stl/data/moving_glyphs.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <thread>
#include <utility>

#include "stl/core/array.h"
#include "stl/core/error.h"

namespace stl {
namespace {

constexpr std::int64_t kLargestCanvas = 8192;
constexpr std::int64_t kMostDigits = 1000;

struct FreeWay {
    std::int64_t y, x;
};

FreeWay free_way(const MovingGlyphOptions& options, const GlyphSet& glyphs) {
    return {options.canvas - glyphs.height, options.canvas - glyphs.width};
}

/// One coordinate in units of the free way.
struct Coordinate {
    double place, velocity;
    double bounce = 1;

    /// Rounded as in the published sets: (bounce * velocity) * step, no fused multiply-add.
    void advance(double step) {
        place += bounce * velocity * step;
        if (place <= 0) {
            place = 0;
            bounce = -bounce;
        }
        if (place >= 1) {
            place = 1;
            bounce = -bounce;
        }
    }
};

std::vector<GlyphPath::Corner> walk(double x, double y, double direction, const MovingGlyphOptions& options,
                                    FreeWay way) {
    Coordinate across{x, std::cos(direction)};
    Coordinate down{y, std::sin(direction)};
    std::vector<GlyphPath::Corner> corners(static_cast<std::size_t>(options.frames));
    for (auto& corner : corners) {
        down.advance(options.step);
        across.advance(options.step);
        corner.y = static_cast<std::int16_t>(static_cast<double>(way.y) * down.place);
        corner.x = static_cast<std::int16_t>(static_cast<double>(way.x) * across.place);
    }
    return corners;
}

/// to = max(to, from). Sixteen at a time become one instruction; the last sixteen overlap those before, which
/// a maximum doesn't mind.
void overlay(const std::uint8_t* __restrict from, std::uint8_t* __restrict to, std::int64_t width) {
    constexpr std::int64_t block = 16;
    if (width < block) {
        for (std::int64_t i = 0; i < width; ++i) to[i] = std::max(to[i], from[i]);
        return;
    }
    for (std::int64_t at = 0;; at = std::min(at + block, width - block)) {
        for (std::int64_t i = 0; i < block; ++i) to[at + i] = std::max(to[at + i], from[at + i]);
        if (at == width - block) return;
    }
}

/// From the first row that isn't black to the one after the last such.
std::pair<std::int64_t, std::int64_t> filled_rows(std::span<const std::uint8_t> glyph, std::int64_t width) {
    const auto lit = [](std::uint8_t value) { return value != 0; };
    const auto first = std::ranges::find_if(glyph, lit);
    if (first == glyph.end()) return {0, 0};
    const auto last = std::find_if(glyph.rbegin(), glyph.rend(), lit);
    return {(first - glyph.begin()) / width, (glyph.rend() - last - 1) / width + 1};
}

void draw_path(const GlyphPath& path, const GlyphSet& glyphs, std::int64_t canvas, std::uint8_t* out,
               std::int64_t frame_stride) {
    const auto glyph = glyphs.glyph(path.glyph);
    const auto [first, last] = filled_rows(glyph, glyphs.width);
    for (const auto& corner : path.corners) {
        const auto* from = glyph.data() + first * glyphs.width;
        auto* to = out + (corner.y + first) * canvas + corner.x;
        for (auto row = first; row < last; ++row) {
            overlay(from, to, glyphs.width);
            from += glyphs.width;
            to += canvas;
        }
        out += frame_stride;
    }
}

/// Standard normal values to choose from: a choice of one in 65,536 costs a fraction of a fresh one.
constexpr std::size_t kNormalSample = 1 << 16;

const std::vector<float>& normal_sample() {
    static const std::vector<float> sample = [] {
        std::vector<float> values(kNormalSample);
        StreamRandom random(0, 0);
        for (auto& value : values) value = static_cast<float>(random.normal());
        return values;
    }();
    return sample;
}

void add_noise(std::uint64_t seed, double deviation, std::span<std::uint8_t> frame) {
    constexpr std::size_t choices = 4;  // of 16 bits in 64
    const auto& sample = normal_sample();
    const auto scale = static_cast<float>(255 * deviation);
    StreamRandom random(seed, 0);
    for (std::size_t first = 0; first < frame.size(); first += choices) {
        auto bits = random.next_u64();
        for (auto& pixel : frame.subspan(first, std::min(choices, frame.size() - first))) {
            const float noisy = static_cast<float>(pixel) + scale * sample[bits % kNormalSample];
            pixel = static_cast<std::uint8_t>(std::clamp(noisy + 0.5F, 0.0F, 255.0F));
            bits >>= 16;
        }
    }
}

void render(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
            std::int64_t frame_stride, std::uint8_t* out) {
    const auto pixels = static_cast<std::size_t>(options.canvas * options.canvas);
    for (std::int64_t t = 0; t < options.frames; ++t) std::memset(out + t * frame_stride, 0, pixels);
    for (const auto& path : plan.paths) draw_path(path, glyphs, options.canvas, out, frame_stride);
    if (options.noise == 0) return;
    for (std::int64_t t = 0; t < options.frames; ++t) {
        add_noise(plan.noise_seed + static_cast<std::uint64_t>(t), options.noise,
                  {out + t * frame_stride, pixels});
    }
}

}  // namespace

void check_moving_glyphs(const MovingGlyphOptions& o, const GlyphSet& glyphs, const std::string& where) {
    if (o.frames < 1) fail("{}: {} frames, expected at least 1", where, o.frames);
    if (o.digits < 0 || o.digits > kMostDigits) {
        fail("{}: {} digits, expected 0 to {}", where, o.digits, kMostDigits);
    }
    if (o.canvas < std::max(glyphs.height, glyphs.width) || o.canvas > kLargestCanvas) {
        fail("{}: a canvas of {} pixels, expected {} (the glyphs' size) to {}", where, o.canvas,
             std::max(glyphs.height, glyphs.width), kLargestCanvas);
    }
    if (!(std::abs(o.step) <= 1)) fail("{}: a step of {}, expected -1 to 1 (of the free way)", where, o.step);
    if (!(o.noise >= 0 && o.noise <= 1)) fail("{}: noise of {}, expected 0 to 1", where, o.noise);
    require_memory(static_cast<std::uint64_t>(element_count({o.frames, o.canvas, o.canvas}, where)),
                   where + ": one sequence");
}

ProtocolPlanner::ProtocolPlanner(std::uint64_t seed, const MovingGlyphOptions& options,
                                 const GlyphSet& glyphs)
    : random_(seed),
      noise_(seed, 0),
      options_(options),
      glyph_count_(glyphs.count),
      free_way_y_(free_way(options, glyphs).y),
      free_way_x_(free_way(options, glyphs).x) {}

MovingGlyphPlan ProtocolPlanner::next() {
    random_.randbelow(1);  // random.choice over a list of one count of digits still draws
    MovingGlyphPlan plan;
    for (std::int64_t i = 0; i < options_.digits; ++i) {
        const double x = random_.random();
        const double y = random_.random();
        const double direction = random_.random() * 2 * std::numbers::pi;
        auto corners = walk(x, y, direction, options_, {free_way_y_, free_way_x_});
        plan.paths.push_back({random_.randint(0, glyph_count_ - 1), std::move(corners)});
    }
    plan.noise_seed = noise_.next_u64();
    return plan;
}

MovingGlyphPlan plan_sequence(std::uint64_t seed, std::uint64_t index, const MovingGlyphOptions& options,
                              const GlyphSet& glyphs) {
    StreamRandom random(seed, index);
    MovingGlyphPlan plan;
    for (std::int64_t i = 0; i < options.digits; ++i) {
        const double x = random.uniform();
        const double y = random.uniform();
        const double direction = random.uniform() * 2 * std::numbers::pi;
        auto corners = walk(x, y, direction, options, free_way(options, glyphs));
        const auto glyph = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(glyphs.count)));
        plan.paths.push_back({glyph, std::move(corners)});
    }
    plan.noise_seed = random.next_u64();
    return plan;
}

void render_sequence(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
                     std::span<std::uint8_t> out) {
    render_sequences({&plan, 1}, options, glyphs, sequence_major(options), 1, out);
}

FrameStrides sequence_major(const MovingGlyphOptions& options) {
    const auto frame = options.canvas * options.canvas;
    return {options.frames * frame, frame};
}

FrameStrides frame_major(const MovingGlyphOptions& options, std::int64_t sequences) {
    const auto frame = options.canvas * options.canvas;
    return {frame, sequences * frame};
}

void render_sequences(std::span<const MovingGlyphPlan> plans, const MovingGlyphOptions& options,
                      const GlyphSet& glyphs, FrameStrides strides, int threads,
                      std::span<std::uint8_t> out) {
    const auto count = static_cast<std::int64_t>(plans.size());
    if (count == 0) return;
    const auto end = (count - 1) * strides.sequence + (options.frames - 1) * strides.frame +
                     options.canvas * options.canvas;
    if (end > std::ssize(out)) fail("moving glyphs: {} pixels, room for {}", end, out.size());
    const auto work = [&](std::int64_t first, std::int64_t last) {
        for (auto i = first; i < last; ++i) {
            render(plans[static_cast<std::size_t>(i)], options, glyphs, strides.frame,
                   out.data() + i * strides.sequence);
        }
    };
    const auto parts = std::clamp<std::int64_t>(threads, 1, count);
    std::vector<std::jthread> helpers;
    for (std::int64_t p = 1; p < parts; ++p)
        helpers.emplace_back(work, count * p / parts, count * (p + 1) / parts);
    work(0, count / parts);
}

}  // namespace stl
