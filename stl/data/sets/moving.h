// Data sets `mmnist`, `mfmnist`, `mmnist_cifar` and `noisymmnist`: moving digits and clothes, made on the fly
// (stl/glyphs/moving_scene.h says how they differ).
#pragma once

#include <memory>

#include "stl/data/dataset.h"
#include "stl/glyphs/moving_scene.h"

namespace stl {

/// The keys specific to the data sets of moving glyphs; each kind lists those that apply to it.
struct MovingOptions {
    std::int64_t digits = MovingGlyphOptions{}.digits;
    std::int64_t canvas = MovingGlyphOptions{}.canvas;
    double step = MovingGlyphOptions{}.step;
    std::string glyphs;
    /// Empty: the published file (mmnist/mnist_test_seq.npy, mfmnist/fmnist_test_seq.npy,
    /// mmnist_cifar/mnist_cifar_test_seq.npy) is used if it is in datasets/ and was made with the same other keys;
    /// otherwise the test set is generated.
    std::string test_path;
    double noise = MovingGlyphOptions{}.noise;
    std::string noise_type = "none", test_noise_type;
    double sigma = InputNoise{}.sigma, mis_prob = InputNoise{}.mis_prob;
    std::string backgrounds;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("digits", o.digits, Rule{}, "glyphs in a sequence");
        key("canvas", o.canvas, Rule{}, "height and width of a frame in pixels");
        key("step", o.step, Rule{}, "distance per frame, as a fraction of the free canvas width");
        key("glyphs", o.glyphs, Rule{}, "other glyphs: an IDX file or a folder of PNGs");
        key("test_path", o.test_path, Rule{}, "a stored test set");
    }
};
/// mmnist, mfmnist.
struct GrayOptions : MovingOptions {
    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        MovingOptions::each(o, key);
        key("noise", o.noise, Rule{},
            "standard deviation of Gaussian noise, as a fraction of the range from black to white");
    }
};
/// Accepts the name of a noise type or, with `or_nothing`, an empty string.
Rule noise_rule(bool or_nothing);
/// noisymmnist.
struct NoisyOptions : MovingOptions {
    NoisyOptions() { noise_type = "perceptual"; }

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        MovingOptions::each(o, key);
        key("noise_type", o.noise_type, noise_rule(false), "kind of noise on the input frames");
        key("test_noise_type", o.test_noise_type, noise_rule(true),
            "kind of noise in the test set (default: noise_type)");
        key("sigma", o.sigma, Rule{},
            "dynamic: standard deviation of the noise on the velocity, relative to the speed");
        key("mis_prob", o.mis_prob, Rule{}, "missing: probability of a black frame");
    }
};
/// mmnist_cifar.
struct CifarOptions : MovingOptions {
    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        MovingOptions::each(o, key);
        key("backgrounds", o.backgrounds, Rule{}, "a folder or file of CIFAR pictures");
    }
};
SequenceShape moving_frame(const DatasetOptions& options);
SequenceShape cifar_frame(const DatasetOptions& options);

/// train: by default 10,000 sequences, new ones every epoch. validation: by default 1,000, always the same, from
/// separate random numbers. test: a stored file, or what the reference's script makes with seed 0 (by default 10,000
/// sequences).
std::unique_ptr<Dataset> make_moving(const DatasetOptions& options, Split split, std::uint64_t seed);

/// An interface of training sets of moving glyphs: all that another generator needs to make the same kind of sequences.
class MadeFromGlyphs {
  public:
    virtual ~MadeFromGlyphs() = default;
    virtual const MovingScene& scene() const = 0;
    virtual std::uint64_t seed() const = 0;
};

/// Sequence `index` of `epoch` of a run's training.
MovingGlyphPlan training_plan(std::uint64_t seed, std::int64_t epoch, std::int64_t index,
                              const MovingGlyphOptions& options, const GlyphSet& glyphs);
/// From random numbers that training never draws. A run's validation set has seed 0.
MovingGlyphPlan validation_plan(std::uint64_t seed, std::int64_t index, const MovingGlyphOptions& options,
                                const GlyphSet& glyphs);

/// The default number of sequences of a split.
std::int64_t usual_sequences(Split split);

}  // namespace stl
