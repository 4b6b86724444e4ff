#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/group_norm_silu.h"

namespace stl::gpu::cuda {
namespace {

constexpr int most_groups = 64;

/// Grid: part, group, picture.
template <class T, int V>
__global__ void __launch_bounds__(threads) part_kernel(const GroupNormSiluTask t) {
    __shared__ float shared[threads * 2];
    const int part = blockIdx.x, group = blockIdx.y, n = blockIdx.z;
    const auto mine = norm_part<T, V>(t, n, group, part, static_cast<int>(threadIdx.y), threads);
    float sums[2] = {mine.sum, mine.squares};
    add_lanes(sums, shared);
    if (threadIdx.y > 0) return;
    float* out = norm_sums(t, n, group, part);
    out[0] = sums[0];
    out[1] = sums[1];
}

/// Grid: units, picture. The first block of a picture keeps its statistics for the way back.
template <class T, int V, int Q>
__global__ void __launch_bounds__(threads) apply_kernel(const GroupNormSiluTask t) {
    __shared__ NormStats stats[most_groups];
    const int n = blockIdx.y;
    const Index unit = thread_number();
    const bool is_one = unit < norm_units<V>(t);
    const auto u = norm_unit<V>(t, n, is_one ? unit : 0);
    float values[Q][V];
    norm_read<T, V, Q>(static_cast<const T*>(t.x) + u.in, values);  // on its way meanwhile
    for (int g = threadIdx.x; g < t.groups; g += threads) {
        stats[g] = norm_merge<T>(t, n, g);
        if (blockIdx.x > 0) continue;
        t.mean[n * t.groups + g] = stats[g].mean;
        t.rstd[n * t.groups + g] = stats[g].rstd;
    }
    __syncthreads();
    if (is_one) norm_apply<T, V, Q>(t, stats, u, values);
}

/// Grid: columns of packs, part, picture.
template <class T, int V, int Q>
__global__ void __launch_bounds__(threads) gradient_sums_kernel(const GroupNormSiluTask t) {
    __shared__ float shared[threads * V];
    const int channels = t.channels_out(), part = blockIdx.y, n = blockIdx.z;
    const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[2][V] = {};
    if (channel < channels) {
        norm_gradient_sums<T, V, Q>(t, n, part, channel, static_cast<int>(threadIdx.y),
                                    static_cast<int>(blockDim.y), sums);
    }
    add_lanes(sums[0], shared);
    add_lanes(sums[1], shared);
    if (threadIdx.y > 0 || channel >= channels) return;
    float* out = t.gradient_sums + ((static_cast<Index>(n) * t.parts + part) * channels + channel) * 2;
    for (int v = 0; v < V; ++v) {
        out[2 * v] = sums[0][v];
        out[2 * v + 1] = sums[1][v];
    }
}

/// Grid: units, picture.
template <class T, int V, int Q>
__global__ void __launch_bounds__(threads) gradient_kernel(const GroupNormSiluTask t) {
    const Index unit = thread_number();
    if (unit < norm_units<V>(t)) norm_gradient<T, V, Q>(t, static_cast<int>(blockIdx.y), unit);
}

/// f(T{}, Constant<V>, Constant<Q>)
template <class F>
void with_norm(const GroupNormSiluTask& t, F f) {
    if (t.groups > most_groups) throw std::invalid_argument("group norm: at most 64 groups");
    with_type<16>(t.type, t.channels_out() / t.groups, [&](auto type, auto width) {
        t.shuffle ? f(type, width, Constant<4>{}) : f(type, width, Constant<1>{});
    });
}

template <int V>
dim3 unit_grid(const GroupNormSiluTask& t) {
    return {blocks_for(norm_units<V>(t)), static_cast<unsigned>(t.batch), 1};
}

}  // namespace

void group_norm_silu(const GroupNormSiluTask& t, Stream stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        using T = decltype(type);
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        const dim3 grid(t.parts, t.groups, t.batch);
        launch("group_norm_silu's parts", part_kernel<T, V>, grid, dim3(1, threads), stream, t);
        launch("group_norm_silu", apply_kernel<T, V, Q>, unit_grid<V>(t), threads, stream, t);
    });
}

void group_norm_silu_gradient_sums(const GroupNormSiluTask& t, Stream stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        const int packs = t.channels_out() / V;
        const auto block = column_block(packs);
        const dim3 grid(column_blocks(packs, block), t.parts, t.batch);
        launch("group_norm_silu_gradient_sums", gradient_sums_kernel<decltype(type), V, Q>, grid, block,
               stream, t);
    });
}

void group_norm_silu_gradient(const GroupNormSiluTask& t, Stream stream) {
    with_norm(t, [&](auto type, auto width, auto places) {
        constexpr int V = decltype(width)::value, Q = decltype(places)::value;
        launch("group_norm_silu_gradient", gradient_kernel<decltype(type), V, Q>, unit_grid<V>(t), threads,
               stream, t);
    });
}

}  // namespace stl::gpu::cuda
