#include "stl/pickle/writer.h"

#include <bit>
#include <limits>

#include "stl/core/error.h"

namespace stl::pickle {
namespace {

const char* storage_type(DType dtype) {
    switch (dtype) {
        case DType::u8:
            return "ByteStorage";
        case DType::i8:
            return "CharStorage";
        case DType::boolean:
            return "BoolStorage";
        case DType::i16:
            return "ShortStorage";
        case DType::f16:
            return "HalfStorage";
        case DType::bf16:
            return "BFloat16Storage";
        case DType::i32:
            return "IntStorage";
        case DType::f32:
            return "FloatStorage";
        case DType::i64:
            return "LongStorage";
        case DType::f64:
            return "DoubleStorage";
        case DType::u16:
        case DType::u32:
        case DType::u64:
            break;  // torch.save has no storages of them
    }
    return "";
}

}  // namespace

Writer::Writer() : out_("\x80\x02") {}

template <class T>
void Writer::raw(T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) op(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Writer::none() {
    op('N');
}
void Writer::boolean(bool value) {
    op(value ? 0x88 : 0x89);
}

void Writer::integer(std::int64_t value) {
    if (value >= std::numeric_limits<std::int32_t>::min() &&
        value <= std::numeric_limits<std::int32_t>::max()) {
        op('J');
        raw(static_cast<std::uint32_t>(value));
    } else {
        op(0x8a);
        op(8);
        raw(static_cast<std::uint64_t>(value));
    }
}

void Writer::big_integer(std::uint64_t value) {
    op(0x8a);
    op(9);  // one more byte: the highest bit is the sign
    raw(value);
    op(0);
}

void Writer::real(double value) {
    op('G');
    raw(__builtin_bswap64(std::bit_cast<std::uint64_t>(value)));
}

void Writer::text(std::string_view value) {
    op('X');
    raw(static_cast<std::uint32_t>(value.size()));
    out_ += value;
}

void Writer::begin_dict() {
    op('}');
    op('(');
}

void Writer::begin_ordered_dict() {
    global("collections", "OrderedDict");
    op(')');
    op('R');
    op('(');
}

void Writer::end_dict() {
    op('u');
}

void Writer::begin_list() {
    op(']');
    op('(');
}

void Writer::end_list() {
    op('e');
}
void Writer::begin_tuple() {
    op('(');
}
void Writer::end_tuple() {
    op('t');
}

void Writer::global(std::string_view module, std::string_view name) {
    op('c');
    out_ += module;
    out_ += '\n';
    out_ += name;
    out_ += '\n';
}

void Writer::tensor(DType dtype, const Shape& shape, std::size_t key) {
    const auto count = element_count(shape, "a tensor to write");
    Shape strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;)
        strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
    const auto sizes = [this](const Shape& values) {
        begin_tuple();
        for (const auto value : values) integer(value);
        end_tuple();
    };
    global("torch._utils", "_rebuild_tensor_v2");
    begin_tuple();
    begin_tuple();
    text("storage");
    global("torch", storage_type(dtype));
    text(std::to_string(key));
    text("cpu");
    integer(count);
    end_tuple();
    op('Q');
    integer(0);
    sizes(shape);
    sizes(strides);
    boolean(false);
    begin_ordered_dict();
    end_dict();
    end_tuple();
    op('R');
}

void Writer::json(const Json& value) {
    switch (value.type()) {
        case Json::value_t::null:
        case Json::value_t::discarded:
        case Json::value_t::binary:
            none();
            break;
        case Json::value_t::boolean:
            boolean(value.get<bool>());
            break;
        case Json::value_t::number_integer:
            integer(value.get<std::int64_t>());
            break;
        case Json::value_t::number_unsigned:
            if (value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
                big_integer(value.get<std::uint64_t>());
            } else {
                integer(value.get<std::int64_t>());
            }
            break;
        case Json::value_t::number_float:
            real(value.get<double>());
            break;
        case Json::value_t::string:
            text(value.get_ref<const std::string&>());
            break;
        case Json::value_t::array:
            begin_list();
            for (const auto& item : value) json(item);
            end_list();
            break;
        case Json::value_t::object:
            begin_dict();
            for (const auto& [key, item] : value.items()) {
                text(key);
                json(item);
            }
            end_dict();
            break;
    }
}

std::string Writer::finish() {
    op('.');
    return std::move(out_);
}

}  // namespace stl::pickle
