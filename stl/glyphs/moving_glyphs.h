// Moving glyphs: pictures that bounce inside a square canvas. Drawing random numbers (a plan) is apart from
// rendering, so that the published test sets come out bit for bit from one thread's draws and any thread's
// rendering.
//
// The law of motion is that of Srivastava et al., "Unsupervised Learning of Video Representations using
// LSTMs" (ICML 2015), as OpenSTL has it: a glyph starts at a uniform place, moves `step` of the free way a
// frame in a uniform direction, stops at an edge and turns back there; a pixel shows the larger of the glyphs
// over it. The step comes before the first frame.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stl/core/random.h"
#include "stl/glyphs/glyphs.h"

namespace stl {

/// What disturbs the input frames of Noisy Moving MNIST, as in OpenSTL's dataloader_noisy_moving_mnist.py;
/// the frames to be predicted stay clean.
struct InputNoise {
    enum class Type {
        none,
        perceptual,  ///< a black square of `side` pixels at a new uniform place in every frame
        missing,     ///< a frame is black with probability `mis_prob`
        dynamic,     ///< both components of a glyph's velocity get Gaussian noise of deviation `sigma`
    };
    static constexpr std::int64_t side = 24;

    Type type = Type::none;
    std::int64_t frames = 10;  ///< how many frames, from the first, are disturbed
    double sigma = 0.2;        ///< in units of the speed
    double mis_prob = 0.2;
};
/// "none", "perceptual", ...
const char* noise_type_name(InputNoise::Type type);
/// Error: "<where>: 'dynamics', expected none, perceptual, missing or dynamic".
InputNoise::Type noise_type(const std::string& name, const std::string& where);

struct MovingGlyphOptions {
    std::int64_t frames = 20;
    std::int64_t canvas = 64;  ///< side in pixels
    std::int64_t digits = 2;   ///< glyphs of a sequence
    double step = 0.1;         ///< of the free way, a frame
    double noise = 0.0;        ///< standard deviation of the Gaussian noise on every pixel, 1 being white
    InputNoise input_noise{};
    std::int64_t backgrounds = 0;  ///< pictures that one is drawn of for each sequence; 0: black
};
/// Error (with `where`) for what cannot be, e.g. glyphs larger than the canvas.
void check_moving_glyphs(const MovingGlyphOptions& options, const GlyphSet& glyphs, const std::string& where);

/// One glyph's way through a sequence: its corner in every frame.
struct GlyphPath {
    struct Corner {
        std::int16_t y = 0;
        std::int16_t x = 0;
    };
    std::int64_t glyph = 0;
    std::vector<Corner> corners;
};

/// All that was drawn for a sequence.
struct MovingGlyphPlan {
    std::vector<GlyphPath> paths;
    std::uint64_t noise_seed = 0;
    std::int64_t background = 0;
};

/// The reference's test protocol, draw by draw: CPython's random.seed(seed), then next() in order. The noise,
/// which is not part of it, comes from a stream of its own. A background is drawn before the glyphs.
class ProtocolPlanner {
  public:
    ProtocolPlanner(std::uint64_t seed, const MovingGlyphOptions& options, const GlyphSet& glyphs);
    MovingGlyphPlan next();

  private:
    PythonRandom random_;
    StreamRandom noise_;
    MovingGlyphOptions options_;
    std::int64_t glyph_count_;
    std::int64_t free_way_y_, free_way_x_;
};

/// Sequence `index` of stream `seed`: any of them at any time, from any thread.
MovingGlyphPlan plan_sequence(std::uint64_t seed, std::uint64_t index, const MovingGlyphOptions& options,
                              const GlyphSet& glyphs);

/// The glyphs over what stands in `out`, by maximum; frame t starts at out + t * frame_stride.
void draw_glyphs(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
                 std::int64_t frame_stride, std::uint8_t* out);

/// Into out [frames,canvas,canvas], which is overwritten.
void render_sequence(const MovingGlyphPlan& plan, const MovingGlyphOptions& options, const GlyphSet& glyphs,
                     std::span<std::uint8_t> out);

/// Where frames go in a larger array: frame t of sequence n starts at n * sequence + t * frame.
struct FrameStrides {
    std::int64_t sequence = 0;
    std::int64_t frame = 0;
};
FrameStrides sequence_major(const MovingGlyphOptions& options);                       ///< [N,T,H,W]
FrameStrides frame_major(const MovingGlyphOptions& options, std::int64_t sequences);  ///< [T,N,H,W]

/// All of them, by `threads` threads; every frame of them is overwritten. Error: `out` is too small.
void render_sequences(std::span<const MovingGlyphPlan> plans, const MovingGlyphOptions& options,
                      const GlyphSet& glyphs, FrameStrides strides, int threads, std::span<std::uint8_t> out);

}  // namespace stl
