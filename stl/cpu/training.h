// What the kernels of a training step take. The translators work channels first, as LibTorch does: a
// picture's channel is a contiguous plane [height][width], and a chain of elementwise operations is one pass
// over it. Encoder and decoder have their channels last, which dense convolutions are quicker with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stl/cpu/type.h"

namespace stl::cpu {

using Index = std::ptrdiff_t;

/// One filter a channel over one plane: stride 1, zeros around, size kept. kernel: odd.
struct PlaneDepthwise {
    const float* in = nullptr;
    const float* w = nullptr;  ///< [kernel][kernel]
    bool flipped = false;      ///< take w back to front: the gradient of the input from that of the output
    float bias = 0;
    float* out = nullptr;
    int height = 0, width = 0, kernel = 0, dilation = 1;
    float* scratch = nullptr;  ///< plane_scratch() floats
};

/// Gradient of one channel's filter and bias, over a batch of planes.
struct PlaneDepthwiseWeights {
    const float* in = nullptr;
    const float* grad = nullptr;  ///< of the output
    int batch = 0;
    Index in_step = 0, grad_step = 0;  ///< floats from one picture's plane to the next's
    int height = 0, width = 0, kernel = 0, dilation = 1;
    float* w_grad = nullptr;  ///< [kernel][kernel], overwritten
    float* bias_grad = nullptr;
    float* scratch = nullptr;  ///< plane_scratch() floats
};

std::size_t plane_scratch(int height, int width, int kernel, int dilation);
inline constexpr int plane_kernel_limit = 31;

/// SiLU(GroupNorm(x)) over one picture, channels last: [height][width][channels]. With `shuffle`,
/// PixelShuffle by 2 comes first: x is [height][width][4][channels], the four places of a pixel one after the
/// other, the result [2 * height][2 * width][channels].
struct GroupNormSilu {
    Type precision = Type::float32;  ///< of in, out and their gradients
    const void* in = nullptr;
    int channels = 0, groups = 1, height = 0, width = 0;
    bool shuffle = false;
    const float* gamma = nullptr;  ///< [channels]
    const float* beta = nullptr;   ///< [channels]
    float eps = 1e-5F;
    void* out = nullptr;
    float* mean = nullptr;      ///< [groups]; written going forward, read going back
    float* rstd = nullptr;      ///< [groups]
    double* scratch = nullptr;  ///< group_norm_scratch()
};

/// Doubles.
inline constexpr std::size_t group_norm_scratch(int channels) {
    return 5 * static_cast<std::size_t>(channels);
}

struct GroupNormSiluBackward {
    GroupNormSilu forward;       ///< `out` is not read
    const void* grad = nullptr;  ///< of the result
    void* in_grad = nullptr;
    float* gamma_grad = nullptr;  ///< [channels], this picture's share
    float* beta_grad = nullptr;
};

/// out = s * a + t * b. `out` may be a or b.
struct Blend {
    const float* a = nullptr;
    float s = 1;
    const float* b = nullptr;
    float t = 1;
    float* out = nullptr;
    Index count = 0;
};

/// out = GELU(in), exact; where `sums` is, sums += weight * out.
struct Gelu {
    Type precision = Type::float32;  ///< of in and out
    const void* in = nullptr;
    void* out = nullptr;
    Index count = 0;
    float weight = 0;
    float* sums = nullptr;  ///< [count] or null
};

/// in_grad = grad * GELU'(in). `in_grad` may be `grad`.
struct GeluBackward {
    Type precision = Type::float32;  ///< of all
    const void* in = nullptr;
    const void* grad = nullptr;
    void* in_grad = nullptr;
    Index count = 0;
};

/// Of y = h + sigma * (h - gate), h = GELU(in), where `gate` depends on weight * h as well: its gradient by
/// that sum is `sum_grad`.
struct AggregationBackward {
    const float* in = nullptr;
    const float* grad = nullptr;      ///< of y
    const float* gate = nullptr;      ///< [count]
    const float* sum_grad = nullptr;  ///< [count]
    float sigma = 0, weight = 0;
    float* in_grad = nullptr;
    Index count = 0;
    double* sigma_grad = nullptr;  ///< added to
    double* weight_grad = nullptr;
};

/// out = SiLU(p + sigma * (p - mean)), over one plane and its mean.
struct DecomposeSilu {
    const float* in = nullptr;
    float sigma = 0;
    float* out = nullptr;
    Index count = 0;
};

struct DecomposeSiluBackward {
    DecomposeSilu forward;         ///< `out` is not read
    const float* grad = nullptr;   ///< of the result
    float* in_grad = nullptr;      ///< may be `grad`
    double* sigma_grad = nullptr;  ///< added to
};

/// out = SiLU(a) * SiLU(b).
struct SiluGate {
    const float* a = nullptr;
    const float* b = nullptr;
    float* out = nullptr;
    Index count = 0;
};

struct SiluGateBackward {
    SiluGate forward;             ///< `out` is not read
    const float* grad = nullptr;  ///< of the result
    float* a_grad = nullptr;
    float* b_grad = nullptr;
};

/// The kernels over them (kernels.h says how they are chosen).
struct TrainingKernels {
#define STL_KERNEL(result, name, arguments) result(*name) arguments;
#include "stl/cpu/training.def"
#undef STL_KERNEL
};

}  // namespace stl::cpu
