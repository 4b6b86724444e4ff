#include "stl/formats/file_checks.h"

#include <algorithm>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {

void check_range(const SequenceInfo& info, std::int64_t first, std::int64_t count, std::size_t out_elements,
                 const std::string& where) {
    if (first < 0 || count < 0 || first > info.count - count) {
        fail("{}: rows {} to {} requested, but there are {} sequences", where, first, first + count,
             info.count);
    }
    const auto expected = static_cast<std::size_t>(count * info.shape.elements());
    if (out_elements != expected) {
        fail("{}: buffer for {} values, but {} sequences have {}", where, out_elements, count, expected);
    }
}

void check_split(std::span<const std::uint8_t> marks, const std::string& where) {
    for (std::size_t i = 0; i < marks.size(); ++i) {
        if (marks[i] > 2) {
            fail("{}: {} at sequence {}, expected 0 (train), 1 (validation) or 2 (test)", where, marks[i], i);
        }
    }
}

std::vector<std::int64_t> rows_of(std::span<const std::uint8_t> marks, std::int64_t count, Split split) {
    std::vector<std::int64_t> rows;
    if (marks.empty() && split == Split::validation) return rows;
    if (marks.empty()) {
        require_memory(static_cast<std::uint64_t>(count) * sizeof(std::int64_t), "the list of sequences");
        rows.reserve(static_cast<std::size_t>(count));
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const bool chosen =
            marks.empty() || marks[static_cast<std::size_t>(i)] == static_cast<std::uint8_t>(split);
        if (chosen) rows.push_back(i);
    }
    return rows;
}

void require_space(const fs::path& path, std::uint64_t bytes) {
    auto folder = fs::absolute(path).parent_path();
    while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
    std::error_code ec;
    const auto space = fs::space(folder, ec);
    if (ec || space.available >= bytes) return;
    fail("{}: needs {} on disk, but only {} is free", path.string(), bytes_text(bytes),
         bytes_text(space.available));
}

}  // namespace stl
