#include <algorithm>

#include "stl/gpu/adam.h"
#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"

namespace stl::gpu::cuda {
namespace {

/// Tensors of one launch, passed by value so that a captured graph keeps them: an argument holds 4 KiB.
constexpr int most_tensors = 64;
constexpr unsigned blocks_each = 64;

struct Chunk {
    AdamTask task;  ///< its pointer to tensors is the host's, and not followed here
    AdamTensor tensors[most_tensors];
};

/// Grid: blocks of a tensor, tensor.
__global__ void __launch_bounds__(threads) adam_kernel(const Chunk __grid_constant__ chunk) {
    __shared__ AdamFactors factors;
    const auto& tensor = chunk.tensors[blockIdx.y];
    if (static_cast<Index>(blockIdx.x) * threads >= tensor.size) return;
    if (threadIdx.x == 0) factors = adam_factors(chunk.task, *tensor.step);
    __syncthreads();
    const Index stride = static_cast<Index>(gridDim.x) * threads;
    const Index packs = adam_takes_packs(tensor) ? tensor.size / adam_pack : 0;
    for (Index i = thread_number(); i < packs; i += stride)
        adam_elements<adam_pack>(tensor, factors, i * adam_pack);
    for (Index i = packs * adam_pack + thread_number(); i < tensor.size; i += stride)
        adam_elements<1>(tensor, factors, i);
}

}  // namespace

void adam(const AdamTask& t, Stream stream) {
    for (int first = 0; first < t.count; first += most_tensors) {
        Chunk chunk{t, {}};
        const int count = std::min(most_tensors, t.count - first);
        std::copy_n(t.tensors + first, count, chunk.tensors);
        const dim3 grid(blocks_each, static_cast<unsigned>(count));
        launch("adam", adam_kernel, grid, threads, stream, chunk);
    }
}

}  // namespace stl::gpu::cuda
