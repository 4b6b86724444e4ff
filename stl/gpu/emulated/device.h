// CUDA's words for g++, so that a .cu file is the same text for both compilers: here its kernels run on the
// CPU, for tests (grid.h). Shared memory is static: blocks run one after the other.
#pragma once

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(most)
#define __shared__ static
#define __grid_constant__ &  // after the parameter's type: one copy for all threads

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

/// Of the thread that runs.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

/// `line`: where it is called.
void __syncthreads(int line = __builtin_LINE());
