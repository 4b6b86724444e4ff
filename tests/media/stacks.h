// TIFF files with pages, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace stl::test {

/// Bytes of a file of flat gray pages of 16x16 pixels with these values. `previews`: which pages say that they are
/// small copies of others.
inline std::string tiff_of(const std::vector<std::uint8_t>& values, bool little,
                           const std::vector<std::size_t>& previews = {}) {
    constexpr std::uint32_t side = 16, entries = 9, directory = 2 + 12 * entries + 4;
    std::string file = little ? "II" : "MM";
    const auto number = [&](std::uint32_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) {
            const int shift = 8 * (little ? i : bytes - 1 - i);
            file += static_cast<char>(value >> shift & 0xFFU);
        }
    };
    const auto entry = [&](std::uint32_t tag, std::uint32_t value) {
        number(tag, 2);
        number(4, 2);  // a 32-bit number
        number(1, 4);
        number(value, 4);
    };
    number(42, 2);
    number(8 + side * side, 4);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto pixels = static_cast<std::uint32_t>(file.size());
        file.append(side * side, static_cast<char>(values[i]));
        number(entries, 2);
        entry(254, std::count(previews.begin(), previews.end(), i) > 0 ? 1 : 0);
        entry(256, side);         // width
        entry(257, side);         // height
        entry(258, 8);            // bits
        entry(259, 1);            // not compressed
        entry(262, 1);            // 0 is black
        entry(273, pixels);       // where they are
        entry(278, side);         // rows that are together there
        entry(279, side * side);  // their bytes
        const bool last = i + 1 == values.size();
        number(last ? 0 : pixels + side * side + directory + side * side, 4);
    }
    return file;
}

}  // namespace stl::test
