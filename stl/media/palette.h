// A palette for all frames of a GIF: exact where there are few colours, else by median cut.
//
// Source: Heckbert, "Color Image Quantization for Frame Buffer Display" (1982).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "stl/media/image.h"

namespace stl {

/// Counts colours; memory is bounded (beyond 65,536 colours the low bits are dropped).
class ColorCounter {
  public:
    void add(const Image& rgb);
    /// 0xRRGGBB with the low bits dropped, as counted.
    std::uint32_t key(const std::uint8_t* rgb) const {
        return (std::uint32_t{rgb[0]} << 16 | std::uint32_t{rgb[1]} << 8 | rgb[2]) & mask_;
    }
    const std::unordered_map<std::uint32_t, std::uint64_t>& counts() const { return counts_; }

  private:
    void coarsen();
    std::unordered_map<std::uint32_t, std::uint64_t> counts_;
    std::uint32_t mask_ = 0xFFFFFF;
    int dropped_bits_ = 0;
};

class Palette {
  public:
    /// At most `size` colours.
    Palette(const ColorCounter& counter, std::size_t size);
    /// 0xRRGGBB
    const std::vector<std::uint32_t>& colors() const { return colors_; }
    /// RGB to one channel of indices.
    Image indices(const Image& rgb) const;

  private:
    const ColorCounter& counter_;
    std::vector<std::uint32_t> colors_;
    std::unordered_map<std::uint32_t, std::uint8_t> index_;
};

}  // namespace stl
