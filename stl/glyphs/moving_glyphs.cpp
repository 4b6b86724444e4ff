#include "stl/glyphs/moving_glyphs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/parts.h"

namespace stl {
namespace {

constexpr std::int64_t largest_canvas = 8192;
constexpr std::int64_t most_digits = 1000;

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
    void advance(double step, double gust) {
        place += bounce * (velocity + gust) * step;
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

/// What is drawn of a glyph before it moves.
struct Start {
    double x, y, direction;
    std::int64_t glyph;
};

/// Keeps the kinds of noise apart that share a sequence's seed.
enum NoiseStream : std::uint64_t { pixel_stream, square_stream, frame_stream, gust_stream };

std::vector<GlyphPath::Corner> walk(const Start& start, const MovingGlyphOptions& options, FreeWay way,
                                    StreamRandom gusts) {
    const auto& noise = options.input_noise;
    const auto gusty = noise.type == InputNoise::Type::dynamic ? noise.frames : 0;
    Coordinate across{start.x, std::cos(start.direction)};
    Coordinate down{start.y, std::sin(start.direction)};
    std::vector<GlyphPath::Corner> corners(static_cast<std::size_t>(options.frames));
    for (std::int64_t t = 0; auto& corner : corners) {
        const bool gust = t++ < gusty;
        down.advance(options.step, gust ? noise.sigma * gusts.normal() : 0);
        across.advance(options.step, gust ? noise.sigma * gusts.normal() : 0);
        corner.y = static_cast<std::int16_t>(static_cast<double>(way.y) * down.place);
        corner.x = static_cast<std::int16_t>(static_cast<double>(way.x) * across.place);
    }
    return corners;
}

MovingGlyphPlan make_plan(const std::vector<Start>& starts, std::uint64_t noise_seed,
                          const MovingGlyphOptions& options, FreeWay way) {
    MovingGlyphPlan plan{.paths = {}, .noise_seed = noise_seed};
    for (std::uint64_t i = 0; const auto& start : starts) {
        const StreamRandom gusts(noise_seed, gust_stream + i++);
        plan.paths.push_back({start.glyph, walk(start, options, way, gusts)});
    }
    return plan;
}

template <int count>
void overlay_block(const std::uint8_t* __restrict from, std::uint8_t* __restrict to) {
    for (int i = 0; i < count; ++i) to[i] = std::max(to[i], from[i]);
}

/// to = max(to, from). Sixteen, eight and four at a time become one instruction each; blocks that overlap
/// would have the processor wait for its own stores.
void overlay(const std::uint8_t* from, std::uint8_t* to, std::int64_t width) {
    std::int64_t at = 0;
    for (; at + 16 <= width; at += 16) overlay_block<16>(from + at, to + at);
    if ((width & 8) != 0) overlay_block<8>(from + at, to + at), at += 8;
    if ((width & 4) != 0) overlay_block<4>(from + at, to + at), at += 4;
    for (; at < width; ++at) to[at] = std::max(to[at], from[at]);
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
    const auto glyph = glyphs.picture(path.glyph);
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
constexpr std::size_t normal_values = 1 << 16;

const std::vector<float>& normal_sample() {
    static const std::vector<float> sample = [] {
        std::vector<float> values(normal_values);
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
    StreamRandom random(seed, pixel_stream);
    for (std::size_t first = 0; first < frame.size(); first += choices) {
        auto bits = random.next_u64();
        for (auto& pixel : frame.subspan(first, std::min(choices, frame.size() - first))) {
            const float noisy = static_cast<float>(pixel) + scale * sample[bits % normal_values];
            pixel = static_cast<std::uint8_t>(std::clamp(noisy + 0.5F, 0.0F, 255.0F));
            bits >>= 16;
        }
    }
}

/// One frame of several in a larger array.
struct FrameView {
    std::uint8_t* first;
    std::int64_t stride;
    std::uint8_t* operator[](std::int64_t t) const { return first + t * stride; }
};

void hide_squares(const MovingGlyphPlan& plan, std::int64_t disturbed, std::int64_t canvas,
                  FrameView frames) {
    constexpr auto side = InputNoise::side;
    StreamRandom random(plan.noise_seed, square_stream);
    // The last place is never taken: the reference draws below canvas - side, exclusively.
    const auto places = static_cast<std::uint64_t>(canvas - side);
    for (std::int64_t t = 0; t < disturbed; ++t) {
        const auto y = static_cast<std::int64_t>(random.below(places));
        const auto x = static_cast<std::int64_t>(random.below(places));
        for (auto row = y; row < y + side; ++row) std::memset(frames[t] + row * canvas + x, 0, side);
    }
}

void drop_frames(const MovingGlyphPlan& plan, std::int64_t disturbed, double probability, std::size_t pixels,
                 FrameView frames) {
    StreamRandom random(plan.noise_seed, frame_stream);
    for (std::int64_t t = 0; t < disturbed; ++t)
        if (random.uniform() < probability) std::memset(frames[t], 0, pixels);
}

void disturb_input(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, FrameView frames) {
    const auto& noise = options.input_noise;
    const auto disturbed = std::min(noise.frames, options.frames);
    const auto pixels = static_cast<std::size_t>(options.canvas * options.canvas);
    if (noise.type == InputNoise::Type::perceptual) hide_squares(plan, disturbed, options.canvas, frames);
    if (noise.type == InputNoise::Type::missing) drop_frames(plan, disturbed, noise.mis_prob, pixels, frames);
}

void render(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
            FrameView frames) {
    const auto pixels = static_cast<std::size_t>(options.canvas * options.canvas);
    for (std::int64_t t = 0; t < options.frames; ++t) std::memset(frames[t], 0, pixels);
    draw_glyphs(plan, options, glyphs, frames.stride, frames.first);
    disturb_input(plan, options, frames);
    if (options.noise == 0) return;
    for (std::int64_t t = 0; t < options.frames; ++t) {
        add_noise(plan.noise_seed + static_cast<std::uint64_t>(t), options.noise, {frames[t], pixels});
    }
}

void check_input_noise(const MovingGlyphOptions& o, const std::string& where) {
    const auto& noise = o.input_noise;
    if (noise.type == InputNoise::Type::perceptual && o.canvas <= InputNoise::side) {
        fail("{}: a canvas of {} pixels is too small: perceptual noise hides a square of {} pixels", where,
             o.canvas, InputNoise::side);
    }
    if (noise.frames < 0) fail("{}: {} noisy frames, expected at least 0", where, noise.frames);
    if (!(noise.sigma >= 0 && noise.sigma <= 1000))
        fail("{}: sigma of {}, expected 0 to 1000", where, noise.sigma);
    if (!(noise.mis_prob >= 0 && noise.mis_prob <= 1))
        fail("{}: mis_prob of {}, expected 0 to 1", where, noise.mis_prob);
}

constexpr std::array noise_names{"none", "perceptual", "missing", "dynamic"};

}  // namespace

const char* noise_type_name(InputNoise::Type type) {
    return noise_names.at(static_cast<std::size_t>(type));
}

InputNoise::Type noise_type(const std::string& name, const std::string& where) {
    const auto found = std::ranges::find(noise_names, name);
    if (found == noise_names.end())
        fail("{}: '{}', expected none, perceptual, missing or dynamic", where, name);
    return static_cast<InputNoise::Type>(found - noise_names.begin());
}

void check_moving_glyphs(const MovingGlyphOptions& o, const GlyphSet& glyphs, const std::string& where) {
    if (o.frames < 1) fail("{}: {} frames, expected at least 1", where, o.frames);
    if (o.digits < 0 || o.digits > most_digits) {
        fail("{}: {} digits, expected 0 to {}", where, o.digits, most_digits);
    }
    if (o.canvas < std::max(glyphs.height, glyphs.width) || o.canvas > largest_canvas) {
        fail("{}: a canvas of {} pixels, expected {} (the glyphs' size) to {}", where, o.canvas,
             std::max(glyphs.height, glyphs.width), largest_canvas);
    }
    if (!(std::abs(o.step) <= 1))
        fail("{}: a step of {}, expected -1 to 1 (fraction of the free canvas width)", where, o.step);
    check_input_noise(o, where);
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
    const auto background = options_.backgrounds > 0 ? random_.randint(0, options_.backgrounds - 1) : 0;
    std::vector<Start> starts;
    for (std::int64_t i = 0; i < options_.digits; ++i) {
        const double x = random_.random();
        const double y = random_.random();
        const double direction = random_.random() * 2 * std::numbers::pi;
        starts.push_back({x, y, direction, random_.randint(0, glyph_count_ - 1)});
    }
    auto plan = make_plan(starts, noise_.next_u64(), options_, {free_way_y_, free_way_x_});
    plan.background = background;
    return plan;
}

MovingGlyphPlan plan_sequence(std::uint64_t seed, std::uint64_t index, const MovingGlyphOptions& options,
                              const GlyphSet& glyphs) {
    StreamRandom random(seed, index);
    const auto below = [&](std::int64_t n) {
        return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
    };
    std::vector<Start> starts;
    for (std::int64_t i = 0; i < options.digits; ++i) {
        const double x = random.uniform();
        const double y = random.uniform();
        const double direction = random.uniform() * 2 * std::numbers::pi;
        starts.push_back({x, y, direction, below(glyphs.count)});
    }
    auto plan = make_plan(starts, random.next_u64(), options, free_way(options, glyphs));
    if (options.backgrounds > 0) plan.background = below(options.backgrounds);
    return plan;
}

void draw_glyphs(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
                 std::int64_t frame_stride, std::uint8_t* out) {
    for (const auto& path : plan.paths) draw_path(path, glyphs, options.canvas, out, frame_stride);
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
    if (end > std::ssize(out)) fail("moving glyphs: {} pixels, but the buffer has {}", end, out.size());
    in_parts(count, threads, [&](std::int64_t /*part*/, std::int64_t first, std::int64_t last) {
        for (auto i = first; i < last; ++i) {
            render(plans[static_cast<std::size_t>(i)], options, glyphs,
                   {out.data() + i * strides.sequence, strides.frame});
        }
    });
}

}  // namespace stl
