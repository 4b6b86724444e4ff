// Checks that every reader and writer of sequences makes. For the files of this folder alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stl/formats/sequences.h"

namespace stl {

/// Error unless rows [first, first + count) exist and `out_elements` is what they need.
void check_range(const SequenceInfo& info, std::int64_t first, std::int64_t count, std::size_t out_elements,
                 const std::string& where);

/// Error unless every mark is a Split's number.
void check_split(std::span<const std::uint8_t> marks, const std::string& where);

/// The rows marked so; without marks all of them, and none for validation.
std::vector<std::int64_t> rows_of(std::span<const std::uint8_t> marks, std::int64_t count, Split split);

/// Error if the file system that `path` is to stand on has less than `bytes` free.
void require_space(const fs::path& path, std::uint64_t bytes);

}  // namespace stl
