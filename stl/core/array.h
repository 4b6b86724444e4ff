// Element types and shapes of stored arrays, shared by every reader and writer that needs no LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stl {

enum class DType { u8, i8, i16, i32, i64, f16, bf16, f32, f64, boolean };

std::size_t dtype_size(DType type);
/// "uint8", "float32", ...
const char* dtype_name(DType type);

using Shape = std::vector<std::int64_t>;

/// "[10, 1, 64, 64]"
std::string to_string(const Shape& shape);
/// Product of the sizes. Error (with `where`) if one is negative or the product overflows 63 bits.
std::int64_t element_count(const Shape& shape, const std::string& where);

/// Bytes of memory that programs can still have, as the kernel estimates it.
std::uint64_t available_memory();
/// Throws unless about `bytes` of memory can be had now: "<where>: needs 12.3 GiB, 7.9 GiB are free".
void require_memory(std::uint64_t bytes, const std::string& where);
/// "12.3 GiB", "4.0 KiB", "17 bytes"
std::string bytes_text(std::uint64_t bytes);

}  // namespace stl
