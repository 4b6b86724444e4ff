// Data sets `mmnist`, `mfmnist`, `mmnist_cifar` and `noisymmnist`: moving digits and clothes, made on the fly
// (stl/glyphs/moving_scene.h says how they differ).
#pragma once

#include <memory>

#include "stl/data/dataset.h"
#include "stl/glyphs/moving_scene.h"

namespace stl {

/// All: `digits` 2, `canvas` 64, `step` 0.1; `glyphs`: another IDX file or a folder of PNGs; `test_path`: a
/// stored test set. Without it the published file is taken if it lies in datasets/
/// (mmnist/mnist_test_seq.npy, mfmnist/fmnist_test_seq.npy, mmnist_cifar/mnist_cifar_test_seq.npy) and the
/// other keys are as it was made; else the test set is generated. mmnist, mfmnist: and `noise` 0, of every
/// frame.
Json moving_keys(Fields& fields);
SequenceShape moving_frame(const DatasetOptions& options);
/// noisymmnist: `noise_type` "perceptual" (or missing, dynamic, none), `sigma` 0.2, `mis_prob` 0.2;
/// `test_noise_type`: that of the test set, the same unless told otherwise ("none": the reference's).
Json noisy_keys(Fields& fields);
/// mmnist_cifar: `backgrounds`: a folder or file of CifarPictures.
Json cifar_keys(Fields& fields);
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
