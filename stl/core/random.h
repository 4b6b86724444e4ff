// Random engines: CPython's Mersenne Twister, with which the published test sets were made, and one whose draws depend
// only on (seed, stream), so that any thread can generate any sequence.
#pragma once

#include <array>
#include <cstdint>

namespace stl {

/// `random.Random(seed)` of CPython 3: MT19937 seeded with init_by_array over the seed's 32-bit words.
/// Source: Matsumoto & Nishimura 1998; CPython Lib/random.py and Modules/_randommodule.c define the derived
/// draws.
class PythonRandom {
  public:
    explicit PythonRandom(std::uint64_t seed);

    std::uint32_t next_u32();
    /// random.random(): 53 bits in [0, 1).
    double random();
    /// random.getrandbits(k), 1 <= k <= 32.
    std::uint32_t getrandbits(int k);
    /// Random._randbelow(n), n >= 1: draws k = bit_length(n) bits until the value is below n.
    std::uint32_t randbelow(std::uint32_t n);
    /// random.randint(a, b), both included.
    std::int64_t randint(std::int64_t a, std::int64_t b);

  private:
    void refill();
    std::array<std::uint32_t, 624> state_{};
    int index_ = 624;
};

/// SplitMix64 over a hash of (seed, stream): cheap to make, independent streams. Source: Steele, Lea, Flood
/// 2014.
class StreamRandom {
  public:
    StreamRandom(std::uint64_t seed, std::uint64_t stream);

    std::uint64_t next_u64();
    /// Uniform in [0, 1), 53 bits.
    double uniform();
    /// Uniform in [0, n), n >= 1, without bias.
    std::uint64_t below(std::uint64_t n);
    /// Standard normal (Box-Muller).
    double normal();

  private:
    std::uint64_t state_;
};

}  // namespace stl
