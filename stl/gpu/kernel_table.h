// The kernels of libstl_cuda.so as one table: what the program needs to know of it, and what the tests fill
// with the same kernels emulated on the CPU (stl/gpu/emulated).
//
// To add a kernel: its task and arithmetic in a header here, a .cu in stl/gpu/cuda, a line in kernels.def, its cases in
// tests/gpu/kernels_test.cpp. Who launches it includes its header.
//
// Pointers are to the device's memory, at multiples of 16 bytes; work goes to `stream` and is not waited for. Errors are
// exceptions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "stl/gpu/portable.h"

namespace stl::gpu {

#define STL_KERNEL(name, Task) struct Task;
#include "stl/gpu/kernels.def"
#undef STL_KERNEL

/// Work that is recorded once and then launched as a whole.
class Graph {
  public:
    virtual ~Graph() = default;
    /// Runs the work on the stream that capture() will use, so that libraries choose their algorithms.
    virtual void warm_up(const std::function<void()>& work) = 0;
    /// Records the work without running it. Error: it cannot be recorded; the device is usable all the same.
    virtual void capture(const std::function<void()>& work) = 0;
    virtual void replay() = 0;
};

/// Times that work runs on a graph's stream before it is captured.
inline constexpr int graph_warm_ups = 3;

using Stream = void*;

struct KernelTable {
    std::uint64_t version = 0;  ///< kernels_version of the build: a plugin of another one is not used
    const char* name = "";
    Stream (*current_stream)() = nullptr;
    int (*parts)(Index blocks, Index most) = nullptr;  ///< into how many parts to cut work of so many blocks
    std::unique_ptr<Graph> (*make_graph)() = nullptr;

#define STL_KERNEL(name, Task) void (*name)(const Task&, Stream) = nullptr;
#include "stl/gpu/kernels.def"
#undef STL_KERNEL
};

/// Kernel sizes of the depthwise convolution, and its largest dilation.
inline constexpr int depthwise_kernels[] = {3, 5, 7};
inline constexpr int depthwise_dilations = 3;
constexpr bool has_depthwise(Index kernel, Index dilation) {
    for (const int one : depthwise_kernels) {
        if (kernel == one) return dilation >= 1 && dilation <= depthwise_dilations;
    }
    return false;
}

/// What libstl_cuda.so exports, as extern "C".
using PluginEntry = const KernelTable* (*)();
inline constexpr const char* plugin_entry = "stl_cuda_kernels";

}  // namespace stl::gpu
