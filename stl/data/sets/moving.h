// Data sets `mmnist`, `mfmnist`, `mmnist_cifar` and `noisymmnist`: moving digits and clothes, made on the fly
// (stl/glyphs/moving_scene.h says how they differ).
#pragma once

#include <memory>

#include "stl/data/dataset.h"
#include "stl/glyphs/moving_scene.h"

namespace stl {

/// What the data sets of moving glyphs have as their own keys; each kind describes those that are its.
struct MovingOptions {
    std::int64_t digits = MovingGlyphOptions{}.digits;
    std::int64_t canvas = MovingGlyphOptions{}.canvas;
    double step = MovingGlyphOptions{}.step;
    std::string glyphs;
    /// Empty: the published file (mmnist/mnist_test_seq.npy, mfmnist/fmnist_test_seq.npy,
    /// mmnist_cifar/mnist_cifar_test_seq.npy) is taken if it lies in datasets/ and the other keys are as it was made;
    /// else the test set is generated.
    std::string test_path;
    double noise = MovingGlyphOptions{}.noise;
    std::string noise_type = "none", test_noise_type;
    double sigma = InputNoise{}.sigma, mis_prob = InputNoise{}.mis_prob;
    std::string backgrounds;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("digits", o.digits, Rule{}, "glyphs in a sequence");
        key("canvas", o.canvas, Rule{}, "height and width of a frame");
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
        key("noise", o.noise, Rule{}, "standard deviation of Gaussian noise (1: white)");
    }
};
/// Of a noise's name, or of nothing.
Rule noise_rule(bool or_nothing);
/// noisymmnist.
struct NoisyOptions : MovingOptions {
    NoisyOptions() { noise_type = "perceptual"; }

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        MovingOptions::each(o, key);
        key("noise_type", o.noise_type, noise_rule(false), "of the input frames");
        key("test_noise_type", o.test_noise_type, noise_rule(true),
            "that of the test set (default: the same)");
        key("sigma", o.sigma, Rule{}, "dynamic: deviation of the velocity's noise");
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

/// train: 10,000 sequences unless told otherwise, new ones every epoch. validation: 1,000, always the same,
/// from random numbers of their own. test: a stored one, or what the reference's script makes with seed 0
/// (10,000 sequences).
std::unique_ptr<Dataset> make_moving(const DatasetOptions& options, Split split, std::uint64_t seed);

/// What a training set of moving glyphs also is: all that another maker of such sequences has to know.
class MadeFromGlyphs {
  public:
    virtual ~MadeFromGlyphs() = default;
    virtual const MovingScene& scene() const = 0;
    virtual std::uint64_t seed() const = 0;
};

/// Sequence `index` of `epoch` of a run's training.
MovingGlyphPlan training_plan(std::uint64_t seed, std::int64_t epoch, std::int64_t index,
                              const MovingGlyphOptions& options, const GlyphSet& glyphs);
/// From random numbers that no training draws. The validation set of training has seed 0.
MovingGlyphPlan validation_plan(std::uint64_t seed, std::int64_t index, const MovingGlyphOptions& options,
                                const GlyphSet& glyphs);

/// How many sequences a split has unless told otherwise.
std::int64_t usual_sequences(Split split);

}  // namespace stl
