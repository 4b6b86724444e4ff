// The record of a run's training data, kept in its run.json under "trained_on", so that resuming and evaluating notice
// if the data have changed.
#pragma once

#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/data/dataset.h"
#include "stl/run/run_folder.h"

namespace stl {

/// {"files": [{"path", "bytes", "digest", "split"}], "train_sequences": 100, "validation_sequences": 20}. The digest is
/// of the file's size and of blocks spread over it (sample_digest()), the split is Dataset::split_record(), where the
/// file marks one. validation: null for none.
Json data_record(const Dataset& training, const Dataset* validation);

/// The record in the run's run.json; null if it has none.
Json stored_data_record(const RunFolder& run);

/// The difference, as one line for a warning: "data.h5: its contents have changed since the run was started"; empty if
/// there is none. before: from stored_data_record().
std::string data_difference(const Json& before, const Json& now);
/// The same for one file, identified by its path; empty also if the record does not have it. split: of the data set
/// that is read from it; null: not looked at.
std::string file_difference(const Json& before, const fs::path& file, const Json* split = nullptr);
/// Those that the record names.
std::vector<fs::path> recorded_files(const Json& record);

}  // namespace stl
