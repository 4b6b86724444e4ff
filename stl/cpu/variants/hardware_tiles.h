// The processor's tile instructions (Intel AMX; "Intel 64 and IA-32 Architectures Software Developer's Manual",
// volume 1, chapter 18). Twin: cpu/emulated_tiles.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stl::cpu::STL_VARIANT {

/// Configures the calling thread's tiles from construction to destruction: LibTorch configures them otherwise.
class HardwareTiles {
  public:
    explicit HardwareTiles(int rows) {
        Configuration c;
        for (int tile = 0; tile < 8; ++tile) {
            c.row_bytes[tile] = 64;
            c.rows[tile] = static_cast<std::uint8_t>(tile < first_right ? rows : 16);
        }
        asm volatile("ldtilecfg %0" ::"m"(c));
    }
    ~HardwareTiles() { asm volatile("tilerelease"); }
    HardwareTiles(const HardwareTiles&) = delete;
    HardwareTiles& operator=(const HardwareTiles&) = delete;

    template <int Tile>
    void zero() {
        asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
    }
    template <int Tile>
    void load(const float* from, std::ptrdiff_t step) {
        asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(from), "r"(step * 4) : "memory");
    }
    /// Past the first-level cache, which keeps what load() reads.
    template <int Tile>
    void load_once(const float* from, std::ptrdiff_t step) {
        asm volatile("tileloaddt1 (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(from), "r"(step * 4) : "memory");
    }
    template <int Tile>
    void store(float* to, std::ptrdiff_t step) const {
        asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(Tile), "r"(to), "r"(step * 4) : "memory");
    }
    template <int Sum, int Left, int Right>
    void multiply_add() {
        asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(Left), "i"(Right));
    }

  private:
    static constexpr int first_right = 6;

    struct alignas(64) Configuration {
        std::uint8_t palette = 1, start_row = 0;
        std::uint8_t reserved[14] = {};
        std::uint16_t row_bytes[16] = {};
        std::uint8_t rows[16] = {};
    };
};

}  // namespace stl::cpu::STL_VARIANT
