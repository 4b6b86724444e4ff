// Data sets `mmnist` and `mfmnist`: moving digits and moving clothes, made on the fly.
#pragma once

#include <memory>

#include "stl/data/dataset.h"
#include "stl/data/moving_glyphs.h"

namespace stl {

/// `digits` 2, `canvas` 64, `step` 0.1, `noise` 0; `glyphs`: another IDX file or a folder of PNGs;
/// `test_path`: a stored test set. Without it the published file is taken if it lies in datasets/
/// (mmnist/mnist_test_seq.npy, mfmnist/fmnist_test_seq.npy) and the other keys are as it was made; else the
/// test set is generated.
Json moving_keys(Fields& fields);
SequenceShape moving_frame(const DatasetOptions& options);

/// train: 10,000 sequences unless told otherwise, new ones every epoch. validation: 1,000, always the same,
/// from random numbers of their own. test: a stored one, or what the reference's script makes with seed 0
/// (10,000 sequences).
std::unique_ptr<Dataset> make_moving(const DatasetOptions& options, Split split, std::uint64_t seed);

/// Sequence `index` of `epoch` of a run's training.
MovingGlyphPlan training_plan(std::uint64_t seed, std::int64_t epoch, std::int64_t index,
                              const MovingGlyphOptions& options, const GlyphSet& glyphs);
/// From random numbers that no training draws. The validation set of training has seed 0.
MovingGlyphPlan validation_plan(std::uint64_t seed, std::int64_t index, const MovingGlyphOptions& options,
                                const GlyphSet& glyphs);

/// How many sequences a split has unless told otherwise.
std::int64_t usual_sequences(Split split);

/// The glyphs of "mmnist" or "mfmnist": those at `path` (an IDX file or a folder of PNGs), or the shipped
/// ones where it is empty.
fs::path glyph_path(const std::string& dataset, const std::string& path);

}  // namespace stl
