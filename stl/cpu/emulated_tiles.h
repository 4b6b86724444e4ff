// The processor's tile instructions (Intel AMX) in plain C++: the twin of variants/hardware_tiles.h, so that what
// is built on tiles is tested on any machine. The same sums in the same order: bit for bit what the processor gives.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stl::cpu {

/// Eight tiles of 16 rows of 16 words. Accumulators hold float32; factors hold pairs of bfloat16, the right ones
/// in tiles 6 and 7.
class EmulatedTiles {
  public:
    /// rows: of all but the right factors, 1 to 16.
    explicit EmulatedTiles(int rows) : rows_(rows) {}

    template <int Tile>
    void zero() {
        std::memset(tiles_[Tile], 0, sizeof tiles_[Tile]);
    }
    /// Rows of 16 words, `step` words apart.
    template <int Tile>
    void load(const float* from, std::ptrdiff_t step) {
        for (int r = 0; r < (Tile >= first_right ? side : rows_); ++r)
            std::memcpy(tiles_[Tile][r], from + r * step, sizeof tiles_[Tile][r]);
    }
    template <int Tile>
    void load_once(const float* from, std::ptrdiff_t step) {
        load<Tile>(from, step);
    }
    template <int Tile>
    void store(float* to, std::ptrdiff_t step) const {
        for (int r = 0; r < rows_; ++r) std::memcpy(to + r * step, tiles_[Tile][r], sizeof tiles_[Tile][r]);
    }
    /// Sum[r][c] += left[r][k] * right[k][c] over pairs k: the lower halves' products (which are exact) are summed
    /// apart from the upper halves', then both sums together are added. Denormals count as zero.
    template <int Sum, int Left, int Right>
    void multiply_add() {
        for (int r = 0; r < rows_; ++r) {
            float low[side] = {}, high[side] = {};
            for (int k = 0; k < side; ++k) {
                const float left_low = lower(tiles_[Left][r][k]), left_high = upper(tiles_[Left][r][k]);
                const auto& right = tiles_[Right][k];
                for (int c = 0; c < side; ++c) {
                    low[c] = flushed(low[c] + left_low * lower(right[c]));
                    high[c] = flushed(high[c] + left_high * upper(right[c]));
                }
            }
            for (int c = 0; c < side; ++c) {
                const float before = flushed(std::bit_cast<float>(tiles_[Sum][r][c]));
                tiles_[Sum][r][c] = std::bit_cast<std::uint32_t>(flushed(before + flushed(low[c] + high[c])));
            }
        }
    }

  private:
    static constexpr int side = 16, first_right = 6;

    static float flushed(float x) {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        return std::bit_cast<float>((bits & 0x7f800000U) == 0 ? bits & 0x80000000U : bits);
    }
    static float lower(std::uint32_t pair) { return flushed(std::bit_cast<float>(pair << 16U)); }
    static float upper(std::uint32_t pair) { return flushed(std::bit_cast<float>(pair & 0xffff0000U)); }

    int rows_;
    std::uint32_t tiles_[8][side][side] = {};
};

}  // namespace stl::cpu
