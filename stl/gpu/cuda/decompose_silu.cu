#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/decompose_silu.h"

namespace stl::gpu::cuda {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(threads) forward_kernel(const DecomposeSiluTask t) {
    const Index unit = thread_number();
    if (unit < decomposition_units<V>(t)) decomposition_forward<T, V>(t, unit);
}

/// Grid: columns of packs, part, picture.
template <class T, int V>
__global__ void __launch_bounds__(threads) sums_kernel(const DecomposeSiluTask t) {
    __shared__ float shared[threads * V];
    const int part = blockIdx.y, n = blockIdx.z;
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[2][V] = {};
    if (channel < t.channels) {
        decomposition_sums<T, V>(t, n, part, channel, static_cast<int>(threadIdx.y),
                                 static_cast<int>(blockDim.y), sums);
    }
    add_lanes(sums[0], shared);
    add_lanes(sums[1], shared);
    if (threadIdx.y > 0 || channel >= t.channels) return;
    write_sums(sums, t.channels, channel, t.sums + (static_cast<Index>(n) * t.parts + part) * 2 * t.channels);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) gradient_kernel(const DecomposeSiluTask t) {
    const Index unit = thread_number();
    if (unit < decomposition_units<V>(t)) decomposition_gradient<T, V>(t, unit);
}

}  // namespace

void decompose_silu(const DecomposeSiluTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        launch("decompose_silu", forward_kernel<decltype(type), V>, blocks_for(decomposition_units<V>(t)),
               threads, stream, t);
    });
}

void decompose_silu_gradient_sums(const DecomposeSiluTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        const auto block = column_block(t.channels / V);
        const dim3 grid(column_blocks(t.channels / V, block), t.parts, t.batch);
        launch("decompose_silu_gradient_sums", sums_kernel<decltype(type), V>, grid, block, stream, t);
    });
}

void decompose_silu_gradient(const DecomposeSiluTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        launch("decompose_silu_gradient", gradient_kernel<decltype(type), V>,
               blocks_for(decomposition_units<V>(t)), threads, stream, t);
    });
}

}  // namespace stl::gpu::cuda
