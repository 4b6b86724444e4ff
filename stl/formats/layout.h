// How the axes of a stored array are laid out, and how its values become x: [n,T,C,H,W] float32.
//
// A layout is one letter an axis, in stored order: N sequences, T frames, C channels, H rows, W columns; N
// and C may be missing (one sequence, one channel). Without a stated layout:
//   5 axes           NTCHW; of an NPY/NPZ that holds uint8, with a last axis of 1 or 3 and a third axis
//                    over 4: TNHWC, a guess; any other shape that looks as if channels came last is refused
//   4 axes, NPY/NPZ  TNHW, the Moving MNIST convention, a guess; its values are 0-255, whatever their type; a
//                    shape that looks as if channels came last is refused
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "stl/core/array.h"
#include "stl/formats/sequences.h"

namespace stl {

/// A stored array whose axes are known.
struct StoredArray {
    std::string layout;  ///< "NTCHW", ...
    Shape shape;         ///< in stored order
    DType dtype = DType::u8;
    bool divide = true;  ///< values are 0-255 and are divided by 255
    std::string
        guess{};  ///< a line about axes that were guessed; empty: they were stated, or are [N,T,C,H,W]

    /// Size of the axis with this letter; 1 if there is none.
    std::int64_t size(char axis) const;
    std::int64_t count() const { return size('N'); }
    SequenceShape sequence() const { return {size('T'), size('C'), size('H'), size('W')}; }
};

/// What the type says of the values as they are read: 0 to 1 where they are divided, all of uint16; absent: nothing.
std::optional<ValueRange> range_of_type(DType stored, bool divided);

enum class ArrayFile { hdf5, numpy };

/// Applies the rules above, or `layout` where it isn't empty. Error: wrong rank, type, layout, doubtful axes, no sequences,
/// or one sequence that doesn't fit into the memory.
StoredArray describe_array(const Shape& shape, DType dtype, ArrayFile kind, const std::string& layout,
                           const std::string& where);

/// Strides in bytes of a dense array, last axis fastest (C) or first axis fastest (Fortran).
Shape dense_strides(const Shape& shape, std::size_t element_bytes, bool fortran_order = false);

/// Copies `count` sequences from `data` (the first one's first value) into out [count,T,C,H,W]. `strides` are
/// in bytes, one per stored axis. Integers over 2^24 are rounded as float32 has them.
void gather(const StoredArray& array, const std::byte* data, std::span<const std::int64_t> strides,
            std::int64_t count, float* out);

/// out[i] = values[i] / 255 (a true division).
void to_unit_range(std::span<const std::uint8_t> values, float* out);

}  // namespace stl
