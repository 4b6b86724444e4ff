// NumPy's NPZ files: a zip archive of NPY files, stored (memory mapped in place) or deflated (unpacked into a
// temporary file first, so that memory stays small). Format: PKWARE APPNOTE 6.3, zip64 included.
#pragma once

#include <memory>

#include "stl/formats/sequences.h"

namespace stl {

/// Array `options.dataset`, or "sequences", or the only one there is (a `split` uint8 [N] beside it marks its
/// rows). Error: no zip file, truncated or damaged, encrypted or otherwise compressed, no such array (the
/// message lists those there are).
std::unique_ptr<SequenceReader> open_npz(const fs::path& path, const ReadOptions& options);

}  // namespace stl
