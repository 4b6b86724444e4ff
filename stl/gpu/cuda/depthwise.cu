#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/depthwise.h"

namespace stl::gpu::cuda {
namespace {

constexpr int strip_threads = 128;
constexpr unsigned columns = 32;
/// Of rows, of a block for a filter's gradient: a power of two, more where a thread needs fewer registers.
template <int K>
constexpr unsigned lanes = K == 3 ? 4 : 2;

template <class T, int V, int K>
__global__ void __launch_bounds__(strip_threads) forward_kernel(const DepthwiseTask t) {
    const Index unit = thread_number();
    if (unit < depthwise_units<V>(t)) depthwise_forward<T, V, K>(t, unit);
}

/// Block: packs of channels, rows of the filter, lanes. Grid: packs, part of the batch's rows.
template <class T, int V, int K>
__global__ void __launch_bounds__(columns* K* lanes<K>) filter_kernel(const DepthwiseTask t) {
    __shared__ float shared[columns * K * lanes<K> * V];
    const int channel = static_cast<int>(blockIdx.x * columns + threadIdx.x) * V;
    const int ky = static_cast<int>(threadIdx.y), part = static_cast<int>(blockIdx.y);
    float sums[K + 1][V] = {};
    if (channel < t.channels) {
        depthwise_filter_sums<T, V, K>(t, channel, ky, part, static_cast<int>(threadIdx.z),
                                       static_cast<int>(lanes<K>), sums);
    }
    STL_UNROLL for (int k = 0; k <= K; ++k)
        add_lanes(sums[k], shared, threadIdx.z, lanes<K>, threadIdx.y * columns + threadIdx.x, columns * K);
    if (threadIdx.z == 0 && channel < t.channels) depthwise_write_sums<V, K>(t, channel, ky, part, sums);
}

template <class F>
void with_shape(const DepthwiseTask& t, F f) {
    with_type_by_four(t.type, t.channels, [&](auto type, auto width) {
        with_kernel(t.kernel, [&](auto size) { f(type, width, size); });
    });
}

}  // namespace

void depthwise(const DepthwiseTask& t, Stream stream) {
    with_shape(t, [&](auto type, auto width, auto size) {
        constexpr int V = decltype(width)::value, K = decltype(size)::value;
        const auto units = depthwise_units<V>(t);
        const auto blocks = static_cast<unsigned>((units + strip_threads - 1) / strip_threads);
        launch("depthwise", forward_kernel<decltype(type), V, K>, blocks, strip_threads, stream, t);
    });
}

void depthwise_filter_gradient(const DepthwiseTask& t, Stream stream) {
    with_shape(t, [&](auto type, auto width, auto size) {
        constexpr int V = decltype(width)::value, K = decltype(size)::value;
        const auto packs = static_cast<unsigned>(t.channels / V);
        const dim3 grid((packs + columns - 1) / columns, t.parts);
        launch("depthwise_filter_gradient", filter_kernel<decltype(type), V, K>, grid,
               dim3(columns, K, lanes<K>), stream, t);
    });
}

}  // namespace stl::gpu::cuda
