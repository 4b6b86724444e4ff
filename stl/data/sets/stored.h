// Sequences of a file: the data set `file`, and the published data sets that `stl import` converted to a file.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "stl/data/dataset.h"

namespace stl {

/// The keys of `file`.
struct StoredOptions {
    std::string path;
    std::optional<std::string> val_path, test_path;
    std::optional<std::string> layout;  ///< of all these files, e.g. "NTCHW"
    std::optional<bool> allow_external;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("path", o.path, Rule{.required = true},
            "a file of sequences, FILE or FILE:DATASET (stl list shows the formats)");
        key("val_path", o.val_path, Rule{}, "a separate file for validation");
        key("test_path", o.test_path, Rule{}, "a separate file for testing");
        key("layout", o.layout, Rule{}, "the axes of an array, e.g. NTHWC");
        key("allow_external", o.allow_external, Rule{},
            "read files that an HDF5 file refers to wherever they are");
    }
};
SequenceShape stored_frame(const DatasetOptions& options);
/// The rows that the file marks for `split`, each cut to its first input + output frames. If the file marks none, all
/// rows, and validation only from a `val_path`. Error: too few frames, no row for the split, a shape that differs from
/// that of `path`.
std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t seed);

/// The rows for `split` of one file; null if `split` is validation and no row is marked for it.
std::unique_ptr<Dataset> open_stored(const DatasetOptions& options, const std::string& path, Split split,
                                     const ReadOptions& reading = {});

struct ImportedOptions {
    std::string path;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("path", o.path, Rule{}, "the imported file (default: datasets/<name>/<name>.h5)");
    }
};
Json read_imported(Fields& fields);
/// "<name>/<name>.h5", below datasets/.
std::string imported_file(const std::string& name);
/// The file: `path` if it exists; else, if `path` is the default, <name>/<name>.h5 wherever data sets are looked for.
std::optional<std::string> find_imported(const DatasetOptions& options);
/// As make_stored(). If the file is missing, the message says how to get it.
std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t seed);

}  // namespace stl
