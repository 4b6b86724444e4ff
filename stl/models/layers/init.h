// How weights are drawn. Norms are ones and zeros, layer scales constants, from their constructors on; these
// functions draw every convolution or linear map inside a module. The distributions are the reference's,
// block by block: accuracy after a fixed number of epochs depends on them. Draws come from torch's default
// generator.
#pragma once

#include "stl/runtime/torch.h"

namespace stl {

enum class Init {
    torch_default,   ///< weight and bias U(-b, b), b = 1/sqrt(fan in): PyTorch's own (kaiming_uniform, a =
                     ///< sqrt(5))
    fan_out_normal,  ///< weight N(0, 2 / (kernel area * out / groups)), bias 0 (He et al. 2015)
    small_normal,    ///< weight N(0, 0.02^2), bias 0
};

/// Standard deviation of small_normal. The reference truncates it at +-2, a hundred deviations away; sampling
/// by the inverse error function it also hits -2 itself about once in 2^24 draws, which is not imitated.
inline constexpr double small_std = 0.02;

void draw_convolutions(torch::nn::Module& module, Init init);
void draw_linears(torch::nn::Module& module, Init init);

}  // namespace stl
