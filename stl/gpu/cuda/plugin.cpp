// libstl_cuda.so: the table of kernels, for a program that opens it after libtorch_cuda.

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <algorithm>

#include "stl/gpu/cuda/graph.h"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/kernels_version.h"

namespace stl::gpu::cuda {
namespace {

Stream current_stream() {
    return c10::cuda::getCurrentCUDAStream().stream();
}

/// So many that every multiprocessor has a few blocks, and no more: each part costs a row of sums.
int parts(Index blocks, Index most) {
    constexpr Index blocks_each = 4;
    int processors = 0;
    if (cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, c10::cuda::current_device()) !=
        cudaSuccess) {
        processors = 1;
    }
    return static_cast<int>(std::clamp<Index>(blocks_each * processors / std::max<Index>(blocks, 1), 1,
                                              std::max<Index>(most, 1)));
}

constexpr KernelTable table = with_launches({
    .version = kernels_version,
    .name = "libstl_cuda",
    .current_stream = current_stream,
    .parts = parts,
    .make_graph = make_graph,
});

}  // namespace
}  // namespace stl::gpu::cuda

extern "C" const stl::gpu::KernelTable* stl_cuda_kernels() {
    return &stl::gpu::cuda::table;
}
