// What a run is trained on, as its run.json keeps it under "trained_on", so that a resumed run and an evaluation notice
// when the data are others.
#pragma once

#include <string>

#include "stl/core/json.h"
#include "stl/data/dataset.h"
#include "stl/run/run_folder.h"

namespace stl {

/// {"files": [{"path", "bytes", "digest"}], "train_sequences": 100, "validation_sequences": 20}. The digest is of the
/// file's size and of blocks spread over it (sample_digest()). validation: null for none.
Json data_record(const Dataset& training, const Dataset* validation);

/// The one in the run's run.json; null where it has none.
Json stored_data_record(const RunFolder& run);

/// What differs, in a line for a warning: "data.h5: other contents than the run was started with"; empty where nothing
/// does. before: of stored_data_record().
std::string data_difference(const Json& before, const Json& now);
/// Likewise of one file, by its path: of the record or not in it.
std::string file_difference(const Json& before, const fs::path& file);

}  // namespace stl
