#include "stl/formats/layout.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"

namespace stl {
namespace {

constexpr std::string_view axes = "NTCHW";

void check_layout(const std::string& layout, const Shape& shape, const std::string& where) {
    const auto times = [&](char axis) { return std::ranges::count(layout, axis); };
    const bool letters_known = std::ranges::all_of(layout, [](char c) { return axes.find(c) != axes.npos; });
    const bool once = std::ranges::all_of(axes, [&](char axis) { return times(axis) <= 1; });
    if (!letters_known || !once || times('T') + times('H') + times('W') != 3) {
        fail("{}: layout '{}', expected the letters N T C H W once each (N and C may be left out)", where,
             layout);
    }
    if (layout.size() != shape.size()) {
        fail("{}: shape {} has {} axes, layout '{}' has {}", where, to_string(shape), shape.size(), layout,
             layout.size());
    }
}

/// As many as pictures have: gray, colour, colour with alpha.
bool channel_like(std::int64_t size) {
    return size == 1 || size == 3 || size == 4;
}

struct Axes {
    std::string layout;
    std::string guess{};
};

Axes default_layout(const Shape& shape, DType dtype, ArrayFile kind, const std::string& where) {
    const bool numpy = kind == ArrayFile::numpy;
    const auto rank = shape.size();
    // Rows and columns are many, channels few.
    const bool channels_last = rank >= 3 && channel_like(shape[rank - 1]) && shape[rank - 3] > 4;
    const auto refuse = [&](const char* taken, const char* likely) {
        fail(
            "{}: shape {} looks as if the channels came last; give the order of the axes, e.g. --layout {} "
            "(or {})",
            where, to_string(shape), likely, taken);
    };
    const auto guess = [&](const char* layout, const std::string& meaning, const char* other) {
        return Axes{layout, fmt::format("{}: the axes of shape {} are a guess: {}, {}; if not, --layout {}",
                                        where, to_string(shape), layout, meaning, other)};
    };
    if (rank == 5) {
        const bool moving_mnist =
            numpy && dtype == DType::u8 && (shape[4] == 1 || shape[4] == 3) && shape[2] > 4;
        if (moving_mnist)
            return guess("TNHWC",
                         fmt::format("{} of {}", counted(shape[1], "sequence"), counted(shape[0], "frame")),
                         "NTHWC");
        if (channels_last) refuse("NTCHW", "NTHWC");
        const bool channels_second = (shape[1] == 1 || shape[1] == 3) && shape[2] > 4;
        if (channels_second)
            return guess("NTCHW",
                         fmt::format("{} of {}", counted(shape[1], "frame"), counted(shape[2], "channel")),
                         "NCTHW");
        return {"NTCHW"};
    }
    if (rank == 4 && numpy) {
        if (channels_last) refuse("TNHW", "THWC");
        return guess("TNHW",
                     fmt::format("{} of {}", counted(shape[1], "sequence"), counted(shape[0], "frame")),
                     shape[1] == 3 ? "TCHW" : "NTHW");
    }
    const char* likely = rank == 3 ? "THW" : channels_last ? "THWC" : "NTHW";
    fail("{}: shape {} has {} axes, expected [N,T,C,H,W]{} (or give the order of the axes, e.g. --layout {})",
         where, to_string(shape), shape.size(), numpy ? " or [T,N,H,W]" : "", likely);
}

/// IEEE 754's binary16.
struct Half {
    std::uint16_t bits;

    explicit operator float() const {
        constexpr std::uint32_t least_normal = 0x400;
        constexpr std::uint32_t infinity = 0x7c00;
        const std::uint32_t magnitude = bits & 0x7fffU;
        const std::uint32_t more_exponent = magnitude < infinity ? 112U << 23 : 224U << 23;
        const float value = magnitude < least_normal
                                ? static_cast<float>(magnitude) * 0x1p-24F
                                : std::bit_cast<float>((magnitude << 13) + more_exponent);
        return (bits & 0x8000U) != 0 ? -value : value;
    }
};

template <class T, bool divide>
void gather_as(const SequenceShape& shape, const std::byte* data, std::span<const std::int64_t, 5> stride,
               std::int64_t count, float* out) {
    const auto value = [](const std::byte* p) {
        T stored;
        std::memcpy(&stored, p, sizeof stored);  // files owe nobody an alignment
        const auto x = static_cast<float>(stored);
        return divide ? x / 255.0F : x;
    };
    const auto step = stride[4];
    for (std::int64_t n = 0; n < count; ++n) {
        for (std::int64_t t = 0; t < shape.frames; ++t) {
            for (std::int64_t c = 0; c < shape.channels; ++c) {
                const std::byte* plane = data + n * stride[0] + t * stride[1] + c * stride[2];
                for (std::int64_t h = 0; h < shape.height; ++h, out += shape.width) {
                    const std::byte* row = plane + h * stride[3];
                    if (step == sizeof(T)) {
                        for (std::int64_t w = 0; w < shape.width; ++w) out[w] = value(row + w * sizeof(T));
                    } else {
                        for (std::int64_t w = 0; w < shape.width; ++w) out[w] = value(row + w * step);
                    }
                }
            }
        }
    }
}

}  // namespace

std::int64_t StoredArray::size(char axis) const {
    const auto at = layout.find(axis);
    return at == std::string::npos ? 1 : shape[at];
}

std::optional<ValueRange> range_of_type(DType stored, bool divided) {
    if (divided) return ValueRange{};
    return stored == DType::u16 ? std::optional(ValueRange{0, 65535}) : std::nullopt;
}

StoredArray describe_array(const Shape& shape, DType dtype, ArrayFile kind, const std::string& layout,
                           const std::string& where) {
    if (dtype == DType::boolean || dtype == DType::bf16) {
        fail("{}: {} values, expected integers or floats", where, dtype_name(dtype));
    }
    auto [letters, guess] = layout.empty() ? default_layout(shape, dtype, kind, where) : Axes{layout};
    StoredArray array{
        .layout = std::move(letters), .shape = shape, .dtype = dtype, .guess = std::move(guess)};
    check_layout(array.layout, shape, where);
    if (element_count(shape, where) == 0)
        fail("{}: shape {} is empty, expected sequences", where, to_string(shape));
    // A 4-D NPY with a sequence axis is the Moving MNIST convention, in whichever order.
    const bool moving_mnist =
        kind == ArrayFile::numpy && shape.size() == 4 && array.layout.find('C') == std::string::npos;
    array.divide = dtype == DType::u8 || (moving_mnist && is_float(dtype));
    const auto elements = static_cast<std::uint64_t>(array.sequence().elements());
    if (elements > (std::uint64_t{1} << 60)) fail("{}: impossible shape {}", where, to_string(shape));
    require_memory(elements * sizeof(float), where + ": one sequence");
    return array;
}

Shape dense_strides(const Shape& shape, std::size_t element_bytes, bool fortran_order) {
    Shape strides(shape.size());
    auto stride = static_cast<std::int64_t>(element_bytes);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const auto axis = fortran_order ? i : shape.size() - 1 - i;
        strides[axis] = stride;
        stride *= shape[axis];
    }
    return strides;
}

void gather(const StoredArray& array, const std::byte* data, std::span<const std::int64_t> strides,
            std::int64_t count, float* out) {
    std::int64_t stride[5]{};
    for (std::size_t i = 0; i < axes.size(); ++i) {
        const auto at = array.layout.find(axes[i]);
        if (at != std::string::npos) stride[i] = strides[at];
    }
    const auto run = [&]<class T>(T) {
        array.divide ? gather_as<T, true>(array.sequence(), data, stride, count, out)
                     : gather_as<T, false>(array.sequence(), data, stride, count, out);
    };
    switch (array.dtype) {
        case DType::u8:
            return run(std::uint8_t{});
        case DType::u16:
            return run(std::uint16_t{});
        case DType::u32:
            return run(std::uint32_t{});
        case DType::u64:
            return run(std::uint64_t{});
        case DType::i8:
            return run(std::int8_t{});
        case DType::i16:
            return run(std::int16_t{});
        case DType::i32:
            return run(std::int32_t{});
        case DType::i64:
            return run(std::int64_t{});
        case DType::f16:
            return run(Half{});
        case DType::f32:
            return run(float{});
        case DType::f64:
            return run(double{});
        default:
            fail("gather: cannot read {} values", dtype_name(array.dtype));
    }
}

void to_unit_range(std::span<const std::uint8_t> values, float* out) {
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(values[i]) / 255.0F;
}

}  // namespace stl
