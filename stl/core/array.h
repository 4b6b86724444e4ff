// Element types and shapes of stored arrays, for all readers and writers that do without LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stl {

enum class DType { u8, u16, u32, u64, i8, i16, i32, i64, f16, bf16, f32, f64, boolean };

std::size_t dtype_size(DType type);
bool is_float(DType type);
/// "uint8", "float32", ...
const char* dtype_name(DType type);

/// The value of a half-precision number (IEEE 754 binary16).
double half_to_double(std::uint16_t bits);

using Shape = std::vector<std::int64_t>;

/// "[10, 1, 64, 64]"
std::string to_string(const Shape& shape);
/// Product of the sizes. Error (with `where`) if one is negative or the product overflows 63 bits.
std::int64_t element_count(const Shape& shape, const std::string& where);

}  // namespace stl
