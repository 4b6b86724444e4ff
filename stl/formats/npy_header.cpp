#include <algorithm>
#include <array>
#include <charconv>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/utf8.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/npy_file.h"

namespace stl {
namespace {

constexpr auto magic = first_bytes::npy;

/// The header's text: a Python dictionary of literals, e.g. {'descr': '<f4', 'fortran_order': False, 'shape':
/// (2, 3), }
class LiteralReader {
  public:
    LiteralReader(std::string_view text, const std::string& where) : text_(text), where_(where) {}

    bool accept(char c) {
        skip_spaces();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) bad();
    }
    std::string string() {
        skip_spaces();
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote != '\'' && quote != '"') bad();
        const auto end = text_.find(quote, at_ + 1);
        if (end == text_.npos) bad();
        const auto value = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return std::string(value);
    }
    bool boolean() {
        skip_spaces();
        for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, {"False", false}}) {
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return value;
            }
        }
        bad();
    }
    Shape sizes() {
        Shape shape;
        expect('(');
        while (!accept(')')) {
            skip_spaces();
            std::int64_t size = 0;
            const auto* first = text_.data() + at_;
            const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), size);
            if (error != std::errc() || shape.size() == 32) bad();
            at_ += static_cast<std::size_t>(end - first);
            accept('L');  // Python 2 wrote long integers so
            shape.push_back(size);
            if (accept(')')) break;
            expect(',');
        }
        return shape;
    }
    [[noreturn]] void bad() const {
        fail("{}: damaged NPY header (at '{}')", where_, printable(text_.substr(at_, 20)));
    }

  private:
    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    }

    std::string_view text_;
    const std::string& where_;
    std::size_t at_ = 0;
};

DType parse_descr(const std::string& descr, const std::string& where) {
    constexpr std::array<std::pair<std::string_view, DType>, 14> known{{{"u1", DType::u8},
                                                                        {"u2", DType::u16},
                                                                        {"u4", DType::u32},
                                                                        {"u8", DType::u64},
                                                                        {"i1", DType::i8},
                                                                        {"b1", DType::boolean},
                                                                        {"i2", DType::i16},
                                                                        {"i4", DType::i32},
                                                                        {"i8", DType::i64},
                                                                        {"f2", DType::f16},
                                                                        {"f4", DType::f32},
                                                                        {"f8", DType::f64},
                                                                        {"B", DType::u8},
                                                                        {"b", DType::i8}}};
    const std::string_view text = descr;
    const bool big = text.starts_with('>');
    const auto code =
        text.starts_with('>') || text.starts_with('<') || text.starts_with('|') || text.starts_with('=')
            ? text.substr(1)
            : text;
    const auto* found = std::ranges::find(known, code, [](const auto& entry) { return entry.first; });
    if (found == known.end())
        fail("{}: values of type '{}', expected integers or floats", where, printable(descr));
    if (big && dtype_size(found->second) > 1) {
        fail("{}: big-endian values ('{}'), expected little-endian", where, printable(descr));
    }
    return found->second;
}

NpyHeader parse_dictionary(std::string_view text, const std::string& where) {
    NpyHeader header;
    LiteralReader reader(text, where);
    bool descr = false;
    bool order = false;
    bool shape = false;
    reader.expect('{');
    while (!reader.accept('}')) {
        const auto key = reader.string();
        reader.expect(':');
        if (key == "descr") {
            if (reader.accept('[')) fail("{}: structured values, expected integers or floats", where);
            header.dtype = parse_descr(reader.string(), where);
            descr = true;
        } else if (key == "fortran_order") {
            header.fortran_order = reader.boolean();
            order = true;
        } else if (key == "shape") {
            header.shape = reader.sizes();
            shape = true;
        } else {
            reader.bad();
        }
        if (reader.accept('}')) break;
        reader.expect(',');
    }
    if (!descr || !order || !shape)
        fail("{}: damaged NPY header (descr, fortran_order or shape is missing)", where);
    return header;
}

}  // namespace

NpyHeader parse_npy(std::span<const std::byte> bytes, const std::string& where) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.empty()) fail("{}: is empty, expected an NPY file", where);
    if (const auto what = stand_in(bytes); !what.empty()) fail("{}: {}", where, what);
    if (!text.starts_with(magic)) fail("{}: not an NPY file (it doesn't start with \\x93NUMPY)", where);
    const auto version = text.size() > 6 ? std::to_integer<int>(bytes[6]) : 1;
    if (version < 1 || version > 3) fail("{}: NPY version {}, expected 1 to 3", where, version);
    const std::size_t start = version == 1 ? 10 : 12;
    if (text.size() < start) fail("{}: truncated NPY header ({} bytes)", where, text.size());
    const auto length = static_cast<std::size_t>(little_endian(bytes.subspan(8, start - 8)));
    if (length > text.size() - start) fail("{}: truncated NPY header ({} bytes)", where, text.size());

    auto header = parse_dictionary(text.substr(start, length), where);
    header.data_offset = start + length;
    auto with_type = header.shape;
    with_type.push_back(static_cast<std::int64_t>(dtype_size(header.dtype)));
    const auto expected = static_cast<std::size_t>(element_count(with_type, where));
    if (text.size() - header.data_offset < expected) {
        fail("{}: truncated: {} bytes of values, {} {} has {}", where, text.size() - header.data_offset,
             dtype_name(header.dtype), to_string(header.shape), expected);
    }
    return header;
}

std::string npy_header(const Shape& shape, DType dtype) {
    constexpr std::size_t alignment = 64;
    constexpr std::size_t largest_number = 21;  // NumPy leaves room for the first axis to grow
    std::string sizes;
    for (const auto size : shape) sizes += fmt::format("{}, ", size);
    if (shape.size() > 1) sizes.resize(sizes.size() - 2);
    if (shape.size() == 1) sizes.resize(sizes.size() - 1);
    const char* descr = dtype == DType::u8 ? "|u1" : dtype == DType::f32 ? "<f4" : "<f8";
    auto text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
    if (!shape.empty()) text.append(largest_number - std::to_string(shape.front()).size(), ' ');
    const std::size_t before = magic.size() + 4 + text.size() + 1;
    text.append((alignment - before % alignment) % alignment, ' ');
    text += '\n';
    std::string header(magic);
    header += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
    return header + text;
}

}  // namespace stl
