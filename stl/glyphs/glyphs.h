// Glyphs: small gray pictures of one size, from an IDX file (LeCun's format of MNIST, gzip or plain) or a
// folder of PNGs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "stl/core/file.h"

namespace stl {

struct GlyphSet {
    std::int64_t count = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::vector<std::uint8_t> pixels;  ///< [count,height,width]

    std::span<const std::uint8_t> glyph(std::int64_t index) const {
        const auto size = static_cast<std::size_t>(height * width);
        return std::span(pixels).subspan(static_cast<std::size_t>(index) * size, size);
    }
};

/// An IDX file; a folder that holds train-images-idx3-ubyte[.gz]; or a folder of PNGs of one size, in the
/// order of their names, colour turned to gray. Error: wrong magic, wrong rank, truncated, empty; PNGs of
/// different sizes, none in the folder.
GlyphSet load_glyphs(const fs::path& file_or_folder);

/// The files that load_glyphs() reads.
std::vector<fs::path> glyph_files(const fs::path& file_or_folder);

/// IDX bytes as they are after unpacking.
GlyphSet parse_idx(std::string_view bytes, const std::string& where);

}  // namespace stl
