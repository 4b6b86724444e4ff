// Norms with fixed statistics, gains of norms, layer scales and shortcuts, folded into the maps beside them, in double.
// For evaluation alone. A block says what its maps become (its folded()); from there both fast ways of prediction start:
// plans on a CPU (stl/inference/cpu), and the weights in place on a GPU (Translator::fold).
#pragma once

#include "stl/models/layers/conv2d.h"
#include "stl/models/layers/norms.h"
#include "stl/runtime/torch.h"

namespace stl {

/// scale * x + shift, [C] each, in double.
struct Affine {
    torch::Tensor scale, shift;

    /// The whole norm, with its running statistics.
    static Affine of(const BatchNorm2d& norm);
    /// What follows the normalisation by the input's own statistics: gains and biases.
    static Affine of(const GroupNorm& norm);
    static Affine of(const LayerNorm& norm);
    static Affine of(const LayerNorm2d& norm);
};

/// y = w x + b, in double. w: [out,in], b: [out].
struct Map {
    torch::Tensor w, b;

    static Map of(const Conv2d& pointwise);
    static Map of(const Linear& linear);
    /// Of scale * x + shift instead of x.
    Map after(const Affine& affine) const;
    /// Of scale * x.
    Map after(const torch::Tensor& scale) const;
    /// scale * y.
    Map times(const torch::Tensor& scale) const;
    /// Becomes the layer's weights.
    void store(const Conv2d& pointwise) const;
};

/// The layer of norm(x) as a map of x or, where the norm has statistics of its own, of x without its gains.
template <class Layer, class Norm>
Map folded_after(const Norm& norm, const Layer& layer) {
    return Map::of(layer).after(Affine::of(norm));
}

/// A branch x + scale * (last(f(first(n))) + n), n = norm(x), as shortcut * x + last(f(first(x))).
struct FoldedBranch {
    Map first, last;
    torch::Tensor shortcut;  ///< [C], in double
};
FoldedBranch fold_around(const BatchNorm2d& norm, const Conv2d& first, const Conv2d& last,
                         const torch::Tensor& scale);

/// A perceptron x + scale * fc2(f(fc1(norm(x)))) as x + fc2(f(fc1(x))), norm being at most without gains.
struct FoldedMlp {
    Map fc1, fc2;

    template <class MlpLayer>
    void store(const MlpLayer& mlp) const {
        fc1.store(mlp->fc1);
        fc2.store(mlp->fc2);
    }
};
template <class Norm, class MlpLayer>
FoldedMlp fold_mlp(const Norm& norm, const MlpLayer& mlp, const torch::Tensor& scale) {
    return {folded_after(norm, mlp->fc1), Map::of(mlp->fc2).times(scale)};
}

}  // namespace stl
