// What a picture or video of sequences is made from: stored sequences, stored predictions beside their truth, or
// what networks make of a test set.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/eval/test_set.h"
#include "stl/metrics/metrics.h"
#include "stl/predict/predictor.h"
#include "stl/render/panels.h"

namespace stl {

/// Which sequences of those that are there.
struct SequenceChoice {
    std::vector<std::int64_t> numbers{};  ///< from 0
    std::int64_t first = 8;               ///< so many from the first, where no numbers are given
    bool spread = false;  ///< instead: so many, evenly spread over all (neighbours come from one source)
};

/// Everything that is shown; the sequences are views of `values` (so it moves, and is not copied).
struct Material {
    SequenceShape shape{};
    double fps = 0;                     ///< 0: not known
    std::optional<ValueRange> range{};  ///< the values that stand for black and white; absent: not known
    std::string title{};
    std::vector<std::string> warnings{};  ///< of the files (stl/formats/sequences.h)
    std::deque<std::vector<float>> values{};
    std::vector<PanelSequence> sequences{};

    Material() = default;
    Material(Material&&) = default;
    Material& operator=(Material&&) = default;
};

/// Its sequences as they are. Errors of all three: no such sequence, memory.
Material stored_sequences(const DataFile& file, const ReadOptions& reading, const SequenceChoice& choice);

/// Files of predictions [N,T',C,H,W] beside `truth` [N,T,C,H,W], whose last T' frames they predict; what stands
/// before these is the input. Error: other shapes or counts.
Material stored_predictions(const std::vector<DataFile>& predictions, const DataFile& truth,
                            const ReadOptions& reading, const SequenceChoice& choice);

/// Test sequences and what every network of `sources` (runs, checkpoints) makes of them; the test set is the
/// first one's. options: but for the source. Error: networks that take other frames than the first. `stop` is
/// asked between sequences, and answered with Interrupted.
Material predicted_sequences(const std::vector<std::string>& sources, const PredictorOptions& options,
                             const TestSetOptions& test, const SequenceChoice& choice, Reporter& reporter,
                             const StopRequested& stop);

/// What the data says of black and white; else [0, 1] where it keeps to it, else from its smallest to its largest value.
Brightness value_range(const Material& material);

/// MSE and SSIM of each predicted frame that has a truth; SSIM only where black and white are known, or `range` is [0, 1].
void add_scores(Material& material, SsimMode ssim, const Brightness& range);

}  // namespace stl
