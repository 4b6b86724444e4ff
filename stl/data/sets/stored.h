// Sequences of a file: data set `file`, and the published sets once `stl import` has brought them into one.
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
    std::optional<std::string> layout;  ///< of all of them, e.g. "NTCHW"
    std::optional<bool> allow_external;

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        key("path", o.path, Rule{.required = true}, "an .h5, .npy or .npz file, FILE or FILE:DATASET");
        key("val_path", o.val_path, Rule{}, "a separate file for validation");
        key("test_path", o.test_path, Rule{}, "a separate file for testing");
        key("layout", o.layout, Rule{}, "the axes of an array, e.g. NTHWC");
        key("allow_external", o.allow_external, Rule{},
            "read files that an HDF5 file names wherever they lie");
    }
};
SequenceShape stored_frame(const DatasetOptions& options);
/// The rows that the file marks for `split` (all where it marks none; then only a `val_path` gives
/// validation), of each the first input + output frames. Error: too few frames, no row for the split, another
/// shape than `path`'s.
std::unique_ptr<Dataset> make_stored(const DatasetOptions& options, Split split, std::uint64_t seed);

/// The rows for `split` of one file; null where none is marked for validation.
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
/// The file: `path` if it is there, the usual one wherever data sets are looked for; else nothing.
std::optional<std::string> find_imported(const DatasetOptions& options);
/// As make_stored; where the file is missing the message says how to get it.
std::unique_ptr<Dataset> make_imported(const DatasetOptions& options, Split split, std::uint64_t seed);

}  // namespace stl
