#include "stl/gpu/channel_aggregation.h"
#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"

namespace stl::gpu::cuda {
namespace {

/// The pixel of a row (threadIdx.y) of threads, which share its packs.
__device__ __forceinline__ Index pixel_number() {
    return static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
}

template <class T, int V>
__global__ void __launch_bounds__(threads) forward_kernel(const ChannelAggregationTask t) {
    __shared__ float shared[threads];
    const Index pixel = pixel_number();
    const int lane = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
    const bool is_one = pixel < t.pixels;
    float h[aggregation_kept][V];
    const float dot =
        add_columns(is_one ? aggregation_dot<T, V>(t, pixel, lane, lanes, h) : 0.0F, shared) + t.bias[0];
    if (!is_one) return;
    if (lane == 0) t.dots[pixel] = dot;
    aggregation_apply<T, V>(t, pixel, dot, lane, lanes, h);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) gradient_kernel(const ChannelAggregationTask t) {
    __shared__ float shared[threads];
    const Index pixel = pixel_number();
    const int lane = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
    const bool is_one = pixel < t.pixels;
    float grad[aggregation_kept][V];
    const float sum =
        add_columns(is_one ? aggregation_grad_dot<T, V>(t, pixel, lane, lanes, grad) : 0.0F, shared);
    if (!is_one) return;
    const float dot_grad = -sum * gelu_with_slope(t.dots[pixel]).slope;
    if (lane == 0) t.dot_grads[pixel] = dot_grad;
    aggregation_gradient<T, V>(t, pixel, dot_grad, lane, lanes, grad);
}

/// Grid: columns of packs, part.
template <class T, int V>
__global__ void __launch_bounds__(threads) sums_kernel(const ChannelAggregationTask t) {
    __shared__ float shared[threads * V];
    const int part = blockIdx.y;
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[2][V] = {};
    if (channel < t.channels) {
        aggregation_sums<T, V>(t, part, channel, static_cast<int>(threadIdx.y), static_cast<int>(blockDim.y),
                               sums);
    }
    add_lanes(sums[0], shared);
    add_lanes(sums[1], shared);
    if (threadIdx.y == 0 && channel < t.channels)
        write_sums(sums, t.channels, channel, t.sums + static_cast<Index>(part) * 2 * t.channels);
}

inline unsigned pixel_blocks(const ChannelAggregationTask& t, dim3 block) {
    return static_cast<unsigned>((t.pixels + block.y - 1) / block.y);
}

}  // namespace

void channel_aggregation(const ChannelAggregationTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        const auto block = row_block(t.channels / V);
        launch("channel_aggregation", forward_kernel<decltype(type), V>, pixel_blocks(t, block), block,
               stream, t);
    });
}

void channel_aggregation_gradient(const ChannelAggregationTask& t, Stream stream) {
    with_type<16>(t.type, t.channels, [&](auto type, auto width) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value;
        const auto row = row_block(t.channels / V), block = column_block(t.channels / V);
        launch("channel_aggregation_gradient", gradient_kernel<T, V>, pixel_blocks(t, row), row, stream, t);
        const dim3 grid(column_blocks(t.channels / V, block), t.parts);
        launch("channel_aggregation's sums", sums_kernel<T, V>, grid, block, stream, t);
    });
}

}  // namespace stl::gpu::cuda
