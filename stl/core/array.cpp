#include "stl/core/array.h"

#include <fmt/ranges.h>

#include <cmath>

#include "stl/core/error.h"

namespace stl {

std::size_t dtype_size(DType type) {
    switch (type) {
        case DType::u8:
        case DType::i8:
        case DType::boolean:
            return 1;
        case DType::u16:
        case DType::i16:
        case DType::f16:
        case DType::bf16:
            return 2;
        case DType::u32:
        case DType::i32:
        case DType::f32:
            return 4;
        case DType::u64:
        case DType::i64:
        case DType::f64:
            return 8;
    }
    return 0;
}

bool is_float(DType type) {
    return type == DType::f16 || type == DType::bf16 || type == DType::f32 || type == DType::f64;
}

const char* dtype_name(DType type) {
    switch (type) {
        case DType::u8:
            return "uint8";
        case DType::u16:
            return "uint16";
        case DType::u32:
            return "uint32";
        case DType::u64:
            return "uint64";
        case DType::i8:
            return "int8";
        case DType::boolean:
            return "bool";
        case DType::i16:
            return "int16";
        case DType::f16:
            return "float16";
        case DType::bf16:
            return "bfloat16";
        case DType::i32:
            return "int32";
        case DType::f32:
            return "float32";
        case DType::i64:
            return "int64";
        case DType::f64:
            return "float64";
    }
    return "?";
}

double half_to_double(std::uint16_t bits) {
    const int exponent = bits >> 10 & 0x1f;
    const double mantissa = bits & 0x3ff;
    double value = 0;
    if (exponent == 31) {
        value = mantissa == 0 ? HUGE_VAL : NAN;
    } else {
        value = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
    }
    return bits >> 15 ? -value : value;
}

std::string to_string(const Shape& shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::int64_t element_count(const Shape& shape, const std::string& where) {
    std::int64_t count = 1;
    for (const auto size : shape) {
        if (size < 0 || __builtin_mul_overflow(count, size, &count)) {
            fail("{}: impossible shape {}", where, to_string(shape));
        }
    }
    return count;
}

}  // namespace stl
