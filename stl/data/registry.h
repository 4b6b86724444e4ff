// The data sets. To add one:
//
//   1. sets/<name>.h and .cpp: a class derived from Dataset (or a call of an existing one) and its keys.
//   2. its include and one line in the list of registry.cpp: name, help, keys, frame, constructor; source and data, if any.
//   3. datasets/<name>/README.md and spec.json.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stl/data/dataset.h"

namespace stl {

/// A data set's own keys.
struct OwnKeys {
    Json (*read)(Fields& fields);  ///< complete
    std::vector<OptionInfo> (*list)();
};
template <class Options>
OwnKeys keys_of() {
    return {[](Fields& fields) {
                Options o;
                read_options(fields, o);
                return write_options(o);
            },
            list_options<Options>};
}

struct DatasetInfo {
    std::string name;
    std::string help;
    OwnKeys keys;
    /// The shape of one frame (frames = 1), making and reading no more than that needs.
    SequenceShape (*frame)(const DatasetOptions& options);
    /// Returns null if it has no such split.
    std::unique_ptr<Dataset> (*make)(const DatasetOptions& options, Split split, std::uint64_t seed);
    /// Where to download it, for sets that `stl import --from <name>` converts.
    std::string source = {};
    /// The file or folder below datasets/ that it needs; for `stl doctor`.
    std::string data = {};
};

/// Every member, in the order of the list.
const std::vector<DatasetInfo>& datasets();
/// Error: "<where>: unknown data set 'mnmist' (did you mean 'mmnist'?)".
const DatasetInfo& find_dataset(std::string_view name, std::string_view where);

/// The shape of one sequence (input and output frames), without making any.
SequenceShape dataset_shape(const DatasetOptions& options);

/// The shipped glyphs and all data sets that need data of their own, each with its place (nullopt: not found); for
/// `stl doctor`.
std::vector<std::pair<std::string, std::optional<fs::path>>> locate_datasets();

}  // namespace stl
