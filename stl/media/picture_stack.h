// Files of several pictures: TIFF with pages, animated PNG and WebP. Read from their directories, without decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct PictureStack {
    enum class Kind { none, tiff, png, webp } kind = Kind::none;
    /// Pictures of the file; 1 where it is none of the above.
    std::int64_t count = 1;
    /// Of a TIFF: where the directories of its pages are. Previews and masks are none. Fewer than `count` where ImageJ
    /// wrote a single directory for all of them.
    std::vector<std::uint64_t> pages = {};
    bool little_endian = true;  ///< so are the numbers of a TIFF
    bool cut = false;           ///< the file ends before the directory of its next page
    bool big = false;           ///< a BigTIFF, for files over 4 GiB
    std::string description =
        {};  ///< of a TIFF: the text of its first page, where OME and ImageJ say what the axes are
};

/// Reads `to.size()` bytes from a place in a file. False where it ends before.
using ReadAt = std::function<bool(std::uint64_t from, std::span<unsigned char> to)>;

/// Never an Error: what is damaged ends where it is damaged.
PictureStack stack_of(std::span<const std::byte> file);
/// The same, reading no more than it needs. Files that can't be opened are of no kind.
PictureStack stack_of(const fs::path& path);

/// "4 pages", "4 frames (an animated WebP)"
std::string contents_of(const PictureStack& stack);

}  // namespace stl
