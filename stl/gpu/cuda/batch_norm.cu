#include "stl/gpu/batch_norm.h"
#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"

namespace stl::gpu::cuda {
namespace {

/// Grid: columns of packs, part.
template <class T, int V, bool backward>
__global__ void __launch_bounds__(threads) part_kernel(const BatchNormTask t) {
    __shared__ float shared[threads * V];
    const int part = blockIdx.y;
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
    const int lane = static_cast<int>(threadIdx.y), lanes = static_cast<int>(blockDim.y);
    float sums[2][V] = {};
    if (channel < t.channels) {
        if constexpr (backward) {
            batch_norm_gradient_sums<T, V>(t, part, channel, lane, lanes, sums);
        } else {
            batch_norm_part<T, V>(t, part, channel, lane, lanes, sums);
        }
    }
    add_lanes(sums[0], shared);
    add_lanes(sums[1], shared);
    if (lane > 0 || channel >= t.channels) return;
    write_sums(sums, t.channels, channel,
               (backward ? t.gradient_sums : t.sums) + static_cast<Index>(part) * 2 * t.channels);
}

/// Grid: columns of channels. Lanes take the parts in turn.
template <class T>
__global__ void __launch_bounds__(threads) merge_kernel(const BatchNormTask t) {
    __shared__ float shared[threads * 2];
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    float sums[2] = {};
    for (int part = static_cast<int>(threadIdx.y); part < t.parts && channel < t.channels;
         part += static_cast<int>(blockDim.y)) {
        const float* of_part = t.sums + static_cast<Index>(part) * 2 * t.channels + channel;
        sums[0] += of_part[0];
        sums[1] += of_part[t.channels];
    }
    add_lanes(sums, shared);
    if (threadIdx.y == 0 && channel < t.channels) batch_norm_merge<T>(t, channel, sums[0], sums[1]);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) apply_kernel(const BatchNormTask t) {
    const Index unit = thread_number();
    if (unit < batch_norm_units<V>(t)) batch_norm_apply<T, V>(t, unit);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) gradient_kernel(const BatchNormTask t) {
    const Index unit = thread_number();
    if (unit < batch_norm_units<V>(t)) batch_norm_gradient<T, V>(t, unit);
}

template <bool backward, class T, int V>
void launch_parts(const char* name, const BatchNormTask& t, Stream stream) {
    const auto block = column_block(t.channels / V);
    const dim3 grid(column_blocks(t.channels / V, block), t.parts);
    launch(name, part_kernel<T, V, backward>, grid, block, stream, t);
}

}  // namespace

void batch_norm(const BatchNormTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value;
        launch_parts<false, T, V>("batch_norm's parts", t, stream);
        const auto block = column_block(t.channels);
        launch("batch_norm's merge", merge_kernel<T>, column_blocks(t.channels, block), block, stream, t);
        launch("batch_norm", apply_kernel<T, V>, blocks_for(batch_norm_units<V>(t)), threads, stream, t);
    });
}

void batch_norm_gradient_sums(const BatchNormTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        launch_parts<true, decltype(type), decltype(width)::value>("batch_norm_gradient_sums", t, stream);
    });
}

void batch_norm_gradient(const BatchNormTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        launch("batch_norm_gradient", gradient_kernel<decltype(type), V>, blocks_for(batch_norm_units<V>(t)),
               threads, stream, t);
    });
}

}  // namespace stl::gpu::cuda
