#include "stl/core/array.h"

#include <fmt/ranges.h>

#include <array>
#include <fstream>

#include "stl/core/error.h"

namespace stl {

std::size_t dtype_size(DType type) {
    switch (type) {
        case DType::u8:
        case DType::i8:
        case DType::boolean:
            return 1;
        case DType::i16:
        case DType::f16:
        case DType::bf16:
            return 2;
        case DType::i32:
        case DType::f32:
            return 4;
        case DType::i64:
        case DType::f64:
            return 8;
    }
    return 0;
}

const char* dtype_name(DType type) {
    switch (type) {
        case DType::u8:
            return "uint8";
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

std::uint64_t available_memory() {
    std::ifstream in("/proc/meminfo");
    std::string key;
    std::uint64_t kib = 0;
    std::string unit;
    while (in >> key >> kib >> unit) {
        if (key == "MemAvailable:") return kib * 1024;
    }
    return UINT64_MAX;
}

void require_memory(std::uint64_t bytes, const std::string& where) {
    constexpr std::uint64_t small = 64u << 20;
    if (bytes <= small) return;
    const auto free = available_memory();
    if (bytes > free) fail("{}: needs {} of memory, {} are free", where, bytes_text(bytes), bytes_text(free));
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) return fmt::format("{} bytes", bytes);
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace stl
