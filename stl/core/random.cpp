#include "stl/core/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

namespace stl {
namespace {

constexpr int state_words = 624;
constexpr int state_shift = 397;

std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

}  // namespace

PythonRandom::PythonRandom(std::uint64_t seed) {
    std::vector<std::uint32_t> key{static_cast<std::uint32_t>(seed)};
    if (seed >> 32 != 0) key.push_back(static_cast<std::uint32_t>(seed >> 32));

    state_[0] = 19650218U;
    for (std::uint32_t i = 1; i < state_words; ++i) {
        state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
    }
    std::size_t i = 1;
    std::size_t j = 0;
    const auto wrap = [&] {
        if (i >= state_words) {
            state_[0] = state_[state_words - 1];
            i = 1;
        }
    };
    for (std::size_t k = std::max<std::size_t>(state_words, key.size()); k > 0; --k) {
        state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + key[j] +
                    static_cast<std::uint32_t>(j);
        ++i;
        wrap();
        if (++j >= key.size()) j = 0;
    }
    for (std::size_t k = state_words - 1; k > 0; --k) {
        state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) -
                    static_cast<std::uint32_t>(i);
        ++i;
        wrap();
    }
    state_[0] = 0x80000000U;
}

void PythonRandom::refill() {
    for (int i = 0; i < state_words; ++i) {
        const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % state_words] & 0x7fffffffU);
        state_[i] = state_[(i + state_shift) % state_words] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
    }
    index_ = 0;
}

std::uint32_t PythonRandom::next_u32() {
    if (index_ >= state_words) refill();
    std::uint32_t y = state_[index_++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680U;
    y ^= (y << 15) & 0xefc60000U;
    return y ^ (y >> 18);
}

double PythonRandom::random() {
    const std::uint32_t a = next_u32() >> 5;
    const std::uint32_t b = next_u32() >> 6;
    return (a * 67108864.0 + b) * (1.0 / 9007199254740992.0);
}

std::uint32_t PythonRandom::getrandbits(int k) {
    return next_u32() >> (32 - k);
}

std::uint32_t PythonRandom::randbelow(std::uint32_t n) {
    const int k = std::bit_width(n);
    std::uint32_t r = getrandbits(k);
    while (r >= n) r = getrandbits(k);
    return r;
}

std::int64_t PythonRandom::randint(std::int64_t a, std::int64_t b) {
    return a + randbelow(static_cast<std::uint32_t>(b - a + 1));
}

StreamRandom::StreamRandom(std::uint64_t seed, std::uint64_t stream)
    : state_(mix(mix(seed + 0x9e3779b97f4a7c15ULL) + stream * 0xd1342543de82ef95ULL + 1)) {}

std::uint64_t StreamRandom::next_u64() {
    state_ += 0x9e3779b97f4a7c15ULL;
    return mix(state_);
}

double StreamRandom::uniform() {
    return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

std::uint64_t StreamRandom::below(std::uint64_t n) {
    // Lemire's multiply-and-reject.
    auto product = static_cast<unsigned __int128>(next_u64()) * n;
    if (static_cast<std::uint64_t>(product) < n) {
        const std::uint64_t threshold = -n % n;
        while (static_cast<std::uint64_t>(product) < threshold) {
            product = static_cast<unsigned __int128>(next_u64()) * n;
        }
    }
    return static_cast<std::uint64_t>(product >> 64);
}

double StreamRandom::normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace stl
