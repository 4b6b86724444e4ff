// TAU: temporal attention unit, large-kernel attention within frames and squeeze-and-excitation over time.
//
// Block: x: [B,C,H',W'] -> the same (layers/large_kernel.h), with gate(x) = fc(mean over pixels of x) *
// context(x) * x. Training adds the differential divergence of successive frames to the loss (weight
// `train.alpha`, 0.1 in TAU's experiments). Source: Tan et al., "Temporal Attention Unit: Towards Efficient
// Spatiotemporal Predictive Learning" (CVPR 2023).
#pragma once

#include "stl/models/layers/cost_rule.h"
#include "stl/models/layers/large_kernel.h"

namespace stl {

/// Squeeze and excitation: [B,C] -> [B,C] in (0, 1). Its linear maps are named "0" and "2".
class ExcitationImpl : public torch::nn::Module {
  public:
    explicit ExcitationImpl(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x);

    Linear reduce{nullptr}, expand{nullptr};
};
TORCH_MODULE(Excitation);

class TauGate : public LargeKernelGate, public CostRule {
  public:
    explicit TauGate(std::int64_t channels);
    torch::Tensor forward(const torch::Tensor& x) override;
    std::int64_t child_positions(const std::string& child, std::int64_t positions) const override;
    std::int64_t pooled_elements(std::int64_t positions) const override;

    Excitation fc{nullptr};
};

class TauBlock : public LargeKernelBlock {
  public:
    explicit TauBlock(const BlockOptions& options);
    /// The gated attention keeps torch's default initialisation, as it does in the reference.
    void draw_weights() override;
};

/// Mean of p * log(p / q), p and q being the softmax over a frame's change (all its values, divided by `tau`)
/// in prediction and truth. pred, truth: [B,T,C,H,W] -> a scalar; 0 where T <= 2.
torch::Tensor differential_divergence(const torch::Tensor& pred, const torch::Tensor& truth,
                                      double tau = 0.1);

}  // namespace stl
