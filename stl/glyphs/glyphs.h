// Glyphs: small gray pictures of one size, from an IDX file (LeCun's format of MNIST, gzip or plain) or a
// folder of PNGs.
#pragma once

#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/formats/idx.h"

namespace stl {

using GlyphSet = GrayPictures;

/// An IDX file; a folder that holds train-images-idx3-ubyte[.gz]; or a folder of PNGs of one size, in the
/// order of their names, colour turned to gray. Error: wrong magic, wrong rank, truncated, empty; PNGs of
/// different sizes, none in the folder.
GlyphSet load_glyphs(const fs::path& file_or_folder);

/// The files that load_glyphs() reads.
std::vector<fs::path> glyph_files(const fs::path& file_or_folder);

/// Of the shipped training glyphs, in the folder of their name.
inline constexpr auto glyph_file = "train-images-idx3-ubyte.gz";
/// The shipped training glyphs of "mnist" or "fashion-mnist". Error: where they were looked for.
fs::path locate_glyphs(const std::string& name);

}  // namespace stl
