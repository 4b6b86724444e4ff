// The metrics of a predictor, and of the trivial predictors for comparison, on a test set: one pass, constant
// memory.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/metrics/metrics.h"
#include "stl/predict/predictor.h"

namespace stl {

struct EvaluateOptions {
    MetricOptions metrics{};
    std::int64_t batch_size = 16;
    bool trivial = true;  ///< also evaluate the trivial predictors
};

struct Evaluation {
    std::string test_set;  ///< Dataset::describe()
    std::int64_t input_frames = 0;
    std::int64_t output_frames = 0;
    MetricOptions metric_options{};
    MetricValues metrics;
    std::vector<std::pair<std::string, MetricValues>> trivial;  ///< by name
    double seconds = 0;                                         ///< of the whole pass
    double predict_seconds = 0;                                 ///< of the network's passes only
    double metric_seconds = 0;                                  ///< of measuring its predictions
    double sequences_per_second =
        0;  ///< of the network; the first batch, a warm-up, counts only if it is the only one

    /// Has the metrics' keys (MetricValues::to_json), "baselines" (the trivial predictors by name), "test_set", numbers
    /// of frames and times.
    Json to_json() const;
};

/// `data`: sequences of T + frames frames, T being the model's.
/// Error: frames whose shape is not the model's; out of memory (names a batch size that fits). Throws Interrupted
/// when `stop` returns true.
/// group: whose ranks take every so-many-th batch, `stop` on any of them stopping all; the result is the same on all, but
/// for the times. Null: this process alone.
Evaluation evaluate(Predictor& predictor, const Dataset& data, const EvaluateOptions& options,
                    Reporter& reporter, const StopRequested& stop = {}, Group* group = nullptr);

}  // namespace stl
