// Divides work over numbered items among threads. (LibTorch's parallel_for runs serially in code that is
// compiled without OpenMP.)
#pragma once

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace stl {

/// work(part, first, last) over [0, count) in up to `threads` parts, one of them (part 0) on the calling
/// thread. `work` must not throw.
template <class Work>
void in_parts(std::int64_t count, int threads, const Work& work) {
    const auto parts = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(count, 1));
    std::vector<std::jthread> helpers;
    for (std::int64_t p = 1; p < parts; ++p)
        helpers.emplace_back(
            [&work, p, first = count * p / parts, last = count * (p + 1) / parts] { work(p, first, last); });
    work(std::int64_t{0}, std::int64_t{0}, count / parts);
}

}  // namespace stl
