// What every kernel's launch needs.
#pragma once

#include <stdexcept>
#include <string>

#include "stl/gpu/dispatch.h"

#ifdef __CUDACC__
#include <cuda_runtime_api.h>
#else
#include "stl/gpu/emulated/grid.h"
#endif

namespace stl::gpu::cuda {

inline constexpr int threads = 256;  ///< of a block

/// Blocks that hold `units` threads.
inline unsigned blocks_for(Index units) {
    return static_cast<unsigned>((units + threads - 1) / threads);
}

/// kernel(task) in every thread of a grid: on a GPU (`stream`), or on the CPU where g++ compiles this. Error:
/// what cannot be launched, under the name of the kernel.
template <class Parameter, class Task>
void launch(const char* name, void (*kernel)(Parameter), dim3 grid, dim3 block, [[maybe_unused]] void* stream,
            const Task& task) {
    static_assert(sizeof(Task) <= 4096, "what a launch's arguments may hold");
#ifdef __CUDACC__
    kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(task);
    const auto error = cudaGetLastError();
    if (error != cudaSuccess) throw std::runtime_error(std::string(name) + ": " + cudaGetErrorString(error));
#else
    emulated::run_grid(name, grid, block, [&] { kernel(task); });
#endif
}

__device__ __forceinline__ Index thread_number() {
    return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Adds what `lanes` threads, a power of two, hold for each of a block's columns; `sums` of lane 0 is then
/// the block's. `shared`: room for N values of each thread; it may be used again at once.
template <int N>
__device__ __forceinline__ void add_lanes(float (&sums)[N], float* shared, unsigned lane, unsigned lanes,
                                          unsigned column, unsigned columns) {
    float* own = shared + lane * columns + column;
    const unsigned size = lanes * columns;
    STL_UNROLL for (int i = 0; i < N; ++i) own[i * size] = sums[i];
    __syncthreads();
    for (unsigned half = lanes / 2; half > 0; half /= 2) {
        if (lane < half) {
            STL_UNROLL for (int i = 0; i < N; ++i) {
                sums[i] += own[i * size + half * columns];
                own[i * size] = sums[i];
            }
        }
        __syncthreads();
    }
}
/// Lanes along threadIdx.y, columns along threadIdx.x.
template <int N>
__device__ __forceinline__ void add_lanes(float (&sums)[N], float* shared) {
    add_lanes(sums, shared, threadIdx.y, blockDim.y, threadIdx.x, blockDim.x);
}

/// Adds what the columns (threadIdx.x) of a block hold for each of its lanes; all of them get the sum.
/// `shared` as above.
__device__ __forceinline__ float add_columns(float sum, float* shared) {
    constexpr unsigned few = 32;
    const unsigned columns = blockDim.x;
    float* of_lane = shared + threadIdx.y * columns;
    of_lane[threadIdx.x] = sum;
    __syncthreads();
    if (columns > few) {
        if (threadIdx.x < few) {
            for (unsigned i = threadIdx.x + few; i < columns; i += few) sum += of_lane[i];
            of_lane[threadIdx.x] = sum;
        }
        __syncthreads();
    }
    float all = 0;
    for (unsigned i = 0; i < columns && i < few; ++i) all += of_lane[i];
    return all;
}

/// Writes two sums of V channels to [2,C].
template <int V>
__device__ __forceinline__ void write_sums(const float (&sums)[2][V], int channels, int channel, float* to) {
    for (int i = 0; i < 2; ++i) {
        for (int v = 0; v < V; ++v) to[i * channels + channel + v] = sums[i][v];
    }
}

/// A block of `threads` threads for sums over pixels: columns of packs side by side, lanes of pixels. Both
/// are powers of two.
inline dim3 column_block(int packs, unsigned most_columns = 32) {
    unsigned columns = 1;
    while (columns < most_columns && static_cast<int>(columns) < packs) columns *= 2;
    return {columns, threads / columns, 1};
}
/// The same for sums over a pixel's packs: as many of them side by side as a block can have.
inline dim3 row_block(int packs) {
    return column_block(packs, threads);
}
inline unsigned column_blocks(int packs, dim3 block) {
    return (static_cast<unsigned>(packs) + block.x - 1) / block.x;
}

}  // namespace stl::gpu::cuda
