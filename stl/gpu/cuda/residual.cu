#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/residual.h"

namespace stl::gpu::cuda {
namespace {

template <class T, class B, int V>
__global__ void __launch_bounds__(threads) residual_kernel(const ResidualTask t) {
    const Index unit = thread_number();
    if (unit < residual_units<V>(t)) residual_forward<T, B, V>(t, unit);
}

/// Grid: columns of packs, part, picture.
template <class T, class B, int V>
__global__ void __launch_bounds__(threads) residual_gradient_kernel(const ResidualTask t) {
    __shared__ float shared[threads * V];
    const int part = blockIdx.y, n = blockIdx.z;
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[V] = {};
    if (channel < t.channels) {
        residual_backward<T, B, V>(t, n, part, channel, static_cast<int>(threadIdx.y),
                                   static_cast<int>(blockDim.y), sums);
    }
    add_lanes(sums, shared);
    if (threadIdx.y > 0 || channel >= t.channels) return;
    float* out = t.sums + (static_cast<Index>(n) * t.parts + part) * t.channels + channel;
    for (int v = 0; v < V; ++v) out[v] = sums[v];
}

}  // namespace

void residual(const ResidualTask& t, Stream stream) {
    with_residual(t, [&](auto type, auto branch, auto width) {
        constexpr int V = decltype(width)::value;
        launch("residual", residual_kernel<decltype(type), decltype(branch), V>,
               blocks_for(residual_units<V>(t)), threads, stream, t);
    });
}

void residual_gradient(const ResidualTask& t, Stream stream) {
    with_residual(t, [&](auto type, auto branch, auto width) {
        constexpr int V = decltype(width)::value;
        const auto block = column_block(t.channels / V);
        const dim3 grid(column_blocks(t.channels / V, block), t.parts, t.batch);
        launch("residual_gradient", residual_gradient_kernel<decltype(type), decltype(branch), V>, grid,
               block, stream, t);
    });
}

}  // namespace stl::gpu::cuda
