// What the order of threads alone may not show: two threads that reach for the same memory with no barrier
// between them, one of them to write, and shared memory that is read before its block wrote it. The compiler
// (-fsanitize=thread) calls these functions at every access of a kernel; its own library is not linked.
// tools/race-check builds and runs this.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <unordered_map>
#include <vector>

#include "stl/gpu/emulated/device.h"

extern "C" char __data_start, _end;  // of the program's own variables, which shared memory is among

void plain_syncthreads(int line);
namespace stl::gpu::emulated {

void plain_run_grid(const char* kernel, dim3 grid, dim3 block, const std::function<void()>& thread);

namespace {

struct Access {
    std::uint64_t launch = 0, block = 0;
    unsigned thread = 0, barriers = 0;  ///< barriers: that the thread has passed
};
/// The last ones of two bytes.
struct Place {
    Access write, read, read_before;
};

std::unordered_map<std::uintptr_t, Place> places;
std::vector<unsigned> barriers(1024);
const char* kernel = nullptr;  ///< that runs
Access current;
std::uint64_t found = 0;

std::uintptr_t address(const void* p) {
    return reinterpret_cast<std::uintptr_t>(p);
}

/// The access that the running thread makes now.
Access here() {
    const std::uint64_t block =
        blockIdx.x + std::uint64_t{gridDim.x} * (blockIdx.y + std::uint64_t{gridDim.y} * blockIdx.z);
    if (block != current.block) {
        std::ranges::fill(barriers, 0U);
        current.block = block;
    }
    current.thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    current.barriers = barriers[current.thread];
    return current;
}

bool is_unordered(const Access& a, const Access& b, bool shared) {
    if (a.launch != b.launch) return false;
    if (a.block != b.block) return !shared;
    return a.thread != b.thread && a.barriers == b.barriers;
}

void report(const char* what, const Access& a, const Access& b) {
    constexpr std::uint64_t most = 20;
    if (++found > most) return;
    std::fprintf(stderr, "%s: %s, block %llu thread %u after %u barriers, block %llu thread %u after %u\n",
                 kernel, what, static_cast<unsigned long long>(a.block), a.thread, a.barriers,
                 static_cast<unsigned long long>(b.block), b.thread, b.barriers);
}

/// Stacks of fibers, and where the emulation keeps threadIdx and its like.
bool is_own(std::uintptr_t at) {
    constexpr std::uintptr_t above = 512 << 10, below = 4096;
    const auto stack = address(__builtin_frame_address(0));
    if (at + below >= stack && at < stack + above) return true;
    return std::ranges::any_of(std::initializer_list<const dim3*>{&threadIdx, &blockIdx, &blockDim, &gridDim},
                               [&](const dim3* d) { return at >= address(d) && at < address(d + 1); });
}

void note(const void* p, std::uintptr_t size, bool writes) {
    const auto first = address(p);
    if (kernel == nullptr || is_own(first)) return;
    const bool shared = first >= address(&__data_start) && first < address(&_end);
    const auto now = here();
    for (auto at = first / 2; at <= (first + size - 1) / 2; ++at) {
        auto& place = places[at];
        if (is_unordered(place.write, now, shared)) report("written and accessed", place.write, now);
        if (!writes) {
            if (shared && (place.write.launch != now.launch || place.write.block != now.block))
                report("shared memory read before it is written", now, now);
            if (is_unordered(place.read, now, shared)) place.read_before = place.read;
            place.read = now;
            continue;
        }
        for (const auto& read : {place.read, place.read_before})
            if (is_unordered(read, now, shared)) report("read and written", read, now);
        place.write = now;
    }
}

/// Says how it went when the program ends, and has it fail.
struct Summary {
    ~Summary() {
        std::fprintf(stderr, "race check: %llu launches, %llu races\n",
                     static_cast<unsigned long long>(current.launch), static_cast<unsigned long long>(found));
        if (found > 0) std::_Exit(1);
    }
} summary;

}  // namespace

void run_grid(const char* name, dim3 grid, dim3 block, const std::function<void()>& thread) {
    constexpr std::size_t most_places = 4'000'000;
    if (places.size() > most_places) places.clear();
    ++current.launch;
    std::ranges::fill(barriers, 0U);
    kernel = name;
    try {
        plain_run_grid(name, grid, block, thread);
    } catch (...) {
        kernel = nullptr;
        throw;
    }
    kernel = nullptr;
}

}  // namespace stl::gpu::emulated

void __syncthreads(int line) {
    using namespace stl::gpu::emulated;
    ++barriers[here().thread];
    plain_syncthreads(line);
}

extern "C" {
using stl::gpu::emulated::note;
#define STL_ACCESS(size)                         \
    void __tsan_read##size(void* p) {            \
        note(p, size, false);                    \
    }                                            \
    void __tsan_write##size(void* p) {           \
        note(p, size, true);                     \
    }                                            \
    void __tsan_unaligned_read##size(void* p) {  \
        note(p, size, false);                    \
    }                                            \
    void __tsan_unaligned_write##size(void* p) { \
        note(p, size, true);                     \
    }
STL_ACCESS(1)
STL_ACCESS(2)
STL_ACCESS(4)
STL_ACCESS(8)
STL_ACCESS(16)
void __tsan_read_range(void* p, unsigned long size) {
    note(p, size, false);
}
void __tsan_write_range(void* p, unsigned long size) {
    note(p, size, true);
}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}
