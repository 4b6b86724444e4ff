#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/silu_gate.h"

namespace stl::gpu::cuda {
namespace {

template <class T, int V>
__global__ void __launch_bounds__(threads) forward_kernel(const SiluGateTask t) {
    const Index unit = thread_number();
    if (unit < t.size / V) silu_gate_forward<T, V>(t, unit);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) gradient_kernel(const SiluGateTask t) {
    const Index unit = thread_number();
    if (unit < t.size / V) silu_gate_backward<T, V>(t, unit);
}

}  // namespace

void silu_gate(const SiluGateTask& t, Stream stream) {
    with_type<16>(t.type, t.size, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        launch("silu_gate", forward_kernel<decltype(type), V>, blocks_for(t.size / V), threads, stream, t);
    });
}

void silu_gate_gradient(const SiluGateTask& t, Stream stream) {
    with_type<16>(t.type, t.size, [&](auto type, auto width) {
        constexpr int V = decltype(width)::value;
        launch("silu_gate_gradient", gradient_kernel<decltype(type), V>, blocks_for(t.size / V), threads,
               stream, t);
    });
}

}  // namespace stl::gpu::cuda
