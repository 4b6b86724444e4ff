#include "stl/media/palette.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace stl {
namespace {

constexpr std::size_t most_counted = std::size_t{1} << 16;

struct Counted {
    std::uint32_t color;
    std::uint64_t count;
};

int channel(std::uint32_t color, int c) {
    return static_cast<int>(color >> (16 - 8 * c) & 0xFFU);
}

/// A range of the list of colours, its mean, and how much is gained by splitting it.
struct Box {
    std::size_t begin, end;
    std::array<double, 3> mean{};
    int widest = 0;    ///< channel of the largest spread
    double error = 0;  ///< summed squared distance to the mean along it
};

Box make_box(const std::vector<Counted>& list, std::size_t begin, std::size_t end) {
    Box box{begin, end};
    double weight = 0;
    std::array<double, 3> sum{}, square{};
    for (std::size_t i = begin; i < end; ++i) {
        const auto n = static_cast<double>(list[i].count);
        weight += n;
        for (int c = 0; c < 3; ++c) {
            const double v = channel(list[i].color, c);
            sum[static_cast<std::size_t>(c)] += n * v;
            square[static_cast<std::size_t>(c)] += n * v * v;
        }
    }
    for (std::size_t c = 0; c < 3; ++c) {
        box.mean[c] = sum[c] / weight;
        const double error = square[c] - sum[c] * sum[c] / weight;
        if (error > box.error && end - begin > 1) {
            box.error = error;
            box.widest = static_cast<int>(c);
        }
    }
    return box;
}

/// Sorts the box along its widest channel and cuts at the mean.
std::size_t cut(std::vector<Counted>& list, const Box& box) {
    const auto first = list.begin() + static_cast<std::ptrdiff_t>(box.begin);
    const auto last = list.begin() + static_cast<std::ptrdiff_t>(box.end);
    std::sort(first, last, [&](const Counted& a, const Counted& b) {
        const int u = channel(a.color, box.widest), v = channel(b.color, box.widest);
        return u != v ? u < v : a.color < b.color;
    });
    const double mean = box.mean[static_cast<std::size_t>(box.widest)];
    const auto middle =
        std::find_if(first, last, [&](const Counted& c) { return channel(c.color, box.widest) > mean; });
    return static_cast<std::size_t>(middle - list.begin());
}

std::uint8_t nearest(std::uint32_t color, const std::vector<std::uint32_t>& palette) {
    int best = std::numeric_limits<int>::max();
    std::size_t found = 0;
    for (std::size_t i = 0; i < palette.size(); ++i) {
        int distance = 0;
        for (int c = 0; c < 3; ++c) {
            const int d = channel(color, c) - channel(palette[i], c);
            distance += d * d;
        }
        if (distance < best) {
            best = distance;
            found = i;
        }
    }
    return static_cast<std::uint8_t>(found);
}

}  // namespace

void ColorCounter::add(const Image& rgb) {
    // Pictures have long runs of one colour.
    std::uint32_t current = 0;
    std::uint64_t run = 0;
    const auto flush = [&] {
        if (run > 0) counts_[current & mask_] += run;
        if (counts_.size() > most_counted) coarsen();
    };
    for (std::size_t i = 0; i + 2 < rgb.pixels.size(); i += 3) {
        const std::uint32_t k = key(rgb.pixels.data() + i);
        if (k != current) {
            flush();
            current = k;
            run = 0;
        }
        ++run;
    }
    flush();
}

void ColorCounter::coarsen() {
    ++dropped_bits_;
    const std::uint32_t byte = 0xFFU << static_cast<unsigned>(dropped_bits_) & 0xFFU;
    mask_ = byte << 16 | byte << 8 | byte;
    std::unordered_map<std::uint32_t, std::uint64_t> merged;
    for (const auto& [color, count] : counts_) merged[color & mask_] += count;
    counts_ = std::move(merged);
}

Palette::Palette(const ColorCounter& counter, std::size_t size) : counter_(counter) {
    std::vector<Counted> list;
    for (const auto& [color, count] : counter.counts()) list.push_back({color, count});
    std::sort(list.begin(), list.end(), [](const Counted& a, const Counted& b) { return a.color < b.color; });
    if (list.size() <= size) {
        for (const auto& c : list) colors_.push_back(c.color);
    } else {
        std::vector<Box> boxes{make_box(list, 0, list.size())};
        while (boxes.size() < size) {
            const auto worst = std::max_element(boxes.begin(), boxes.end(),
                                                [](const Box& a, const Box& b) { return a.error < b.error; });
            if (!(worst->error > 0)) break;
            const Box box = *worst;
            const std::size_t middle = cut(list, box);
            *worst = make_box(list, box.begin, middle);
            boxes.push_back(make_box(list, middle, box.end));
        }
        for (const auto& box : boxes) {
            std::uint32_t color = 0;
            for (const double v : box.mean) color = color << 8 | static_cast<std::uint32_t>(std::lround(v));
            colors_.push_back(color);
        }
    }
    for (const auto& c : list) index_[c.color] = nearest(c.color, colors_);
}

Image Palette::indices(const Image& rgb) const {
    Image out(rgb.height, rgb.width, 1);
    std::uint32_t last = ~0U;
    std::uint8_t index = 0;
    for (std::size_t i = 0; i < out.pixels.size(); ++i) {
        const std::uint32_t k = counter_.key(rgb.pixels.data() + 3 * i);
        if (k != last) {
            last = k;
            index = index_.at(k);
        }
        out.pixels[i] = index;
    }
    return out;
}

}  // namespace stl
