// Which pictures of a folder follow on each other, as far as their names tell. Used by this folder alone.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace stl {

/// Numbers of names, in the order of a film without a gap.
using PicturePiece = std::vector<std::size_t>;

/// The pieces of which names (in natural order, without their endings) consist. Another piece begins where the counter
/// in the names jumps by more than it usually does, and where the rest of the name or the width of the counter changes:
/// f_01 f_02 | f_07 f_08, a_1 a_2 | b_1 b_2, 1 2 | 001 002. Dates with a time of day are counters too. Names that don't
/// count are one piece.
std::vector<PicturePiece> picture_pieces(std::span<const std::string> names);

}  // namespace stl
