// Sequences of a file: data set `file`, and the published sets once `stl import` has brought them into one.
#pragma once

#include <memory>

#include "stl/data/dataset.h"

namespace stl {

/// `path` (FILE or FILE:DATASET, required), `layout`.
Json stored_keys(Fields& fields);
/// The rows that the file marks for `split` (all where it marks none; then there is no validation), of each
/// the first input + output frames. Error: too few frames, no row for the split.
std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t seed);

/// `path`, by default datasets/<name>/<name>.h5.
Json imported_keys(Fields& fields);
/// As make_stored; where the file is missing the message says how to get it.
std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t seed);

}  // namespace stl
