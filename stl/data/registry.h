// The data sets. Adding one takes three things and nothing else:
//
//   1. sets/<name>.h and .cpp: a class derived from Dataset, or a call of one that is there, and its keys.
//   2. one line in the list of registry.cpp: name, help, the frame's shape where it is always the same, the
//   keys it
//      reads, constructor.
//   3. datasets/<name>/README.md and spec.json.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/data/dataset.h"

namespace stl {

struct DatasetInfo {
    std::string name;
    std::string help;
    /// [1,C,H,W] of every sequence; absent where the file or its own keys say.
    std::optional<SequenceShape> frame;
    /// Reads its own keys, gives them complete.
    Json (*read_keys)(Fields& fields);
    /// Null where it has no such split.
    std::unique_ptr<Dataset> (*make)(const DatasetOptions& options, Split split, std::uint64_t seed);
};

/// Every member, in the order of the list.
const std::vector<DatasetInfo>& datasets();
/// Error: "<where>: unknown data set 'mnmist' (did you mean 'mmnist'?)".
const DatasetInfo& find_dataset(const std::string& name, const std::string& where);

/// Of one sequence, input and output frames, without making any where the registry knows it.
SequenceShape dataset_shape(const DatasetOptions& options);

}  // namespace stl
