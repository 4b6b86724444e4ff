// The test set that a trained network is evaluated or rendered on: a file that the user names, or the experiment's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "stl/data/dataset.h"
#include "stl/predict/predictor.h"

namespace stl {

struct TestSetOptions {
    DataFile data;             ///< empty: the experiment's test set
    std::string layout;        ///< axes of that file; "": by the rules of its format
    std::int64_t frames = 0;   ///< output frames; 0: the model's
    ExternalFiles external{};  ///< whether other files that this file refers to may be read
};

/// Takes from a file what the network's checkpoint does not state: frame size, mean and standard deviation.
void take_hints(PredictorOptions& options, const DataFile& file, const ReadOptions& reading);

/// Error: no file is named, and the checkpoint does not record its data set.
DatasetOptions test_set_options(const TestSetOptions& arguments, const Predictor& predictor);

/// A warning if the test sequences are those that the network was trained on, because the file marks no split; else
/// empty.
std::string trained_on(const Dataset& test_set, const Predictor& predictor);

/// Warnings for files of the test set that have changed since the run was trained on them.
std::vector<std::string> changed_files(const Dataset& test_set, const Predictor& predictor);

/// Error: a data set without a test set.
std::unique_ptr<Dataset> open_test_set(const DatasetOptions& options);

}  // namespace stl
