// Sequences of a file: data set `file`, and the published sets once `stl import` has brought them into one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "stl/data/dataset.h"

namespace stl {

/// `path` (FILE or FILE:DATASET, required), `val_path` and `test_path` (files of their own for these splits),
/// `layout` (of all of them, e.g. "NTCHW").
Json stored_keys(Fields& fields);
SequenceShape stored_frame(const DatasetOptions& options);
/// The rows that the file marks for `split` (all where it marks none; then only a `val_path` gives
/// validation), of each the first input + output frames. Error: too few frames, no row for the split, another
/// shape than `path`'s.
std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t seed);

/// The rows for `split` of one file; null where none is marked for validation.
std::unique_ptr<Dataset> open_stored(const DatasetOptions& options, const std::string& path, Split split);

/// `path`, by default datasets/<name>/<name>.h5.
Json imported_keys(Fields& fields);
/// "<name>/<name>.h5", below datasets/.
std::string imported_file(const std::string& name);
/// The file: `path` if it is there, the usual one wherever data sets are looked for; else nothing.
std::optional<std::string> find_imported(const DatasetOptions& options);
/// As make_stored; where the file is missing the message says how to get it.
std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t seed);

}  // namespace stl
