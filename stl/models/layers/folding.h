// Norms with fixed statistics, layer scales and shortcuts, folded into the weights beside them, in double.
// For evaluation alone: by plans on a CPU (stl/inference/cpu), in place on a GPU (Translator::fold).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/norms.h"
#include "stl/runtime/torch.h"

namespace stl {

/// scale * x + shift, [C] each, in double.
struct Affine {
    torch::Tensor scale, shift;

    static Affine of(const BatchNorm2d& norm);
    static Affine of(const torch::Tensor& weight, const torch::Tensor& bias);
};

/// y = w x + b, in double. w: [out,in], b: [out].
struct Map {
    torch::Tensor w, b;

    static Map of(const Conv2d& pointwise);
    static Map of(const Linear& linear);
    /// Of scale * x + shift instead of x.
    Map after(const torch::Tensor& scale, const torch::Tensor& shift) const;
    Map after(const Affine& affine) const { return after(affine.scale, affine.shift); }
    /// scale * y.
    Map times(const torch::Tensor& scale) const;
    /// Becomes the layer's weights.
    void store(const Conv2d& pointwise) const;
};

/// Has `first` take x instead of norm(x).
void fold_before(const BatchNorm2d& norm, const Conv2d& first);
/// Has `last` give scale * its result.
void fold_behind(const Conv2d& last, const torch::Tensor& scale);
/// For x + scale * (last(f(first(n))) + n), n = norm(x): the same is then shortcut * x + last(f(first(x))).
/// Returns the shortcut, [C] float32.
torch::Tensor fold_around(const BatchNorm2d& norm, const Conv2d& first, const Conv2d& last,
                          const torch::Tensor& scale);

}  // namespace stl
