// Philox4x32-10: random numbers that are a pure function of (key, counter), so that any thread of any device
// draws any of them. Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011).
#pragma once

#include "stl/gpu/portable.h"

namespace stl::gpu {

struct PhiloxBlock {
    std::uint32_t v[4];
};

STL_BOTH PhiloxBlock philox(std::uint64_t key, PhiloxBlock counter) {
    constexpr std::uint32_t multiplier0 = 0xD2511F53U, multiplier1 = 0xCD9E8D57U;
    constexpr std::uint32_t weyl0 = 0x9E3779B9U, weyl1 = 0xBB67AE85U;
    auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
    STL_UNROLL for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = static_cast<std::uint64_t>(multiplier0) * counter.v[0];
        const std::uint64_t b = static_cast<std::uint64_t>(multiplier1) * counter.v[2];
        counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.v[1] ^ key0, static_cast<std::uint32_t>(b),
                    static_cast<std::uint32_t>(a >> 32) ^ counter.v[3] ^ key1,
                    static_cast<std::uint32_t>(a)}};
        key0 += weyl0;
        key1 += weyl1;
    }
    return counter;
}

/// Uniform in [0, 1), 53 bits of two words.
STL_BOTH double uniform(std::uint32_t high, std::uint32_t low) {
    const std::uint64_t bits = static_cast<std::uint64_t>(high) << 32 | low;
    return static_cast<double>(bits >> 11) * (1.0 / 9007199254740992.0);
}

}  // namespace stl::gpu
