// The test set that a trained network is shown on: a file that the user names, or the experiment's own.
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
    std::string layout;        ///< axes of that file; "": by its rules
    std::int64_t frames = 0;   ///< output frames; 0: the model's
    ExternalFiles external{};  ///< other files that that file names
};

/// What a file says of a network whose checkpoint does not: the frames' size, mean and deviation.
void take_hints(PredictorOptions& options, const DataFile& file, const ReadOptions& reading);

/// Error: a checkpoint that does not record its data set, where no file is named.
DatasetOptions test_set_options(const TestSetOptions& arguments, const Predictor& predictor);

/// A line for where the test sequences are those that the network was trained on, as the file marks no split; else
/// empty.
std::string trained_on(const Dataset& test_set, const Predictor& predictor);

/// Lines for files of the test set that are not what they were when the run was trained on them.
std::vector<std::string> changed_files(const Dataset& test_set, const Predictor& predictor);

/// Error: a data set without a test set.
std::unique_ptr<Dataset> open_test_set(const DatasetOptions& options);

}  // namespace stl
