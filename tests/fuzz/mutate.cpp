#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace stl::fuzz {
namespace {

constexpr std::size_t longest_part = 64;

/// Where readers' arithmetic is tried: edges of signs and widths.
constexpr std::array<std::uint64_t, 16> numbers{0,
                                                1,
                                                2,
                                                0x7f,
                                                0x80,
                                                0xff,
                                                0x7fff,
                                                0x8000,
                                                0xffff,
                                                0x10000,
                                                0x7fffffff,
                                                0x80000000,
                                                0xffffffff,
                                                0x7fffffffffffffff,
                                                0x8000000000000000,
                                                0xffffffffffffffff};

struct Part {
    std::size_t at, size;
};

class Mutator {
  public:
    Mutator(std::string bytes, const std::string& other, StreamRandom& random)
        : bytes_(std::move(bytes)), other_(other), random_(random) {}

    void step() {
        using Step = void (Mutator::*)();
        // Small changes more often: large ones seldom get past the first check.
        constexpr std::array<Step, 12> steps{&Mutator::flip_bit,   &Mutator::flip_bit,   &Mutator::set_byte,
                                             &Mutator::set_byte,   &Mutator::set_number, &Mutator::set_number,
                                             &Mutator::set_number, &Mutator::digit,      &Mutator::cut,
                                             &Mutator::repeat,     &Mutator::truncate,   &Mutator::splice};
        if (bytes_.empty()) return;
        (this->*steps[below(steps.size())])();
    }
    std::string take() { return std::move(bytes_); }

  private:
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(n)); }
    /// Of a text that isn't empty; headers stand at the beginning and directories at the end.
    std::size_t place(const std::string& text) {
        const auto near = std::min<std::size_t>(text.size(), 256);
        const auto kind = below(4);
        if (kind == 0) return below(near);
        if (kind == 1) return text.size() - 1 - below(near);
        return below(text.size());
    }
    Part part(const std::string& text) {
        const auto at = place(text);
        return {at, 1 + below(std::min(longest_part, text.size() - at))};
    }

    void flip_bit() { bytes_[place(bytes_)] ^= static_cast<char>(1 << below(8)); }
    void set_byte() { bytes_[place(bytes_)] = static_cast<char>(below(256)); }
    void set_number() {
        const auto at = place(bytes_);
        const auto width = std::min<std::size_t>(std::size_t{1} << below(4), bytes_.size() - at);
        const auto number = numbers[below(numbers.size())];
        const bool big_endian = below(2) == 0;
        for (std::size_t i = 0; i < width; ++i)
            bytes_[at + (big_endian ? width - 1 - i : i)] = static_cast<char>(number >> (8 * i));
    }
    /// For texts: another digit somewhere.
    void digit() {
        const auto at = bytes_.find_first_of("0123456789", place(bytes_));
        if (at != std::string::npos) bytes_[at] = static_cast<char>('0' + below(10));
    }
    void cut() {
        const auto [at, size] = part(bytes_);
        bytes_.erase(at, size);
    }
    void repeat() {
        const auto [at, size] = part(bytes_);
        bytes_.insert(place(bytes_), bytes_.substr(at, size));
    }
    void truncate() { bytes_.resize(below(bytes_.size() + 1)); }
    void splice() {
        if (other_.empty()) return;
        const auto [at, size] = part(other_);
        const auto to = place(bytes_);
        bytes_.replace(to, std::min(size, bytes_.size() - to), other_, at, size);
    }

    std::string bytes_;
    const std::string& other_;
    StreamRandom& random_;
};

}  // namespace

std::string mutated(const std::vector<std::string>& seeds, StreamRandom& random) {
    const auto pick = [&]() -> const std::string& { return seeds[random.below(seeds.size())]; };
    Mutator mutator(pick(), pick(), random);
    for (auto steps = 1 + random.below(8); steps > 0; --steps) mutator.step();
    return mutator.take();
}

}  // namespace stl::fuzz
