#include "stl/core/utf8.h"

#include <algorithm>
#include <cstdint>

namespace stl {
namespace {

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

}  // namespace

bool is_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<std::uint8_t>(text[i++]);
        if (lead < 0x80) continue;
        if (lead < 0xc2 || lead > 0xf4) return false;
        const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        for (int k = 0; k < more; ++k, ++i) {
            if (i == text.size()) return false;
            const auto next = static_cast<std::uint8_t>(text[i]);
            std::uint8_t low = 0x80;
            std::uint8_t high = 0xbf;
            if (k == 0) {
                if (lead == 0xe0) low = 0xa0;
                if (lead == 0xed) high = 0x9f;
                if (lead == 0xf0) low = 0x90;
                if (lead == 0xf4) high = 0x8f;
            }
            if (next < low || next > high) return false;
        }
    }
    return true;
}

std::string printable(std::string_view text) {
    constexpr std::size_t most = 80;
    std::string line(text.substr(0, most));
    const bool utf8 = is_utf8(line);
    std::ranges::replace_if(
        line, [utf8](char c) { return is_control(c) || (!utf8 && (c & '\x80') != 0); }, '?');
    return line;
}

std::string on_one_line(std::string text) {
    std::ranges::replace_if(text, is_control, '?');
    return text;
}

}  // namespace stl
