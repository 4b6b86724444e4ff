// SimVP's inference on the CPU, made fast: the same results as SimVP::predict to about 1e-6 of the largest
// output, float32. x: [B,T,C,H,W].
//
// Everything is planned once from the model's weights: norms with fixed statistics, layer scales and
// shortcuts are folded into the maps beside them, weights are packed for the kernels (stl/cpu),
// activations have their channels last. In bfloat16 the products' factors are rounded (for Winograd's
// convolutions at their points), and nothing else: sums, norms and what goes from layer to layer stay
// float32. Buffers are made in the first call and used again. The model may be freed or changed afterwards
// without effect.
#pragma once

#include <memory>

#include "stl/inference/cpu/block_plan.h"
#include "stl/inference/cpu/coder_plan.h"
#include "stl/inference/inference.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl {

class PlannedInference : public Inference {
  public:
    /// The model must be in evaluation mode, on the CPU. precision: fp32 or bf16. kernels: ones that the machine can
    /// run (tests take others than the best).
    explicit PlannedInference(const SimVPImpl& model, Precision precision = Precision::fp32,
                              const cpu::Kernels& kernels = cpu::kernels());

    torch::Tensor forward(const torch::Tensor& x) override;
    /// One pass into `out`, [B,T,C,H,W] float32 contiguous, without allocation after the first call.
    void forward(const torch::Tensor& x, torch::Tensor& out);

    bool trace(inference::Trace* trace) override {
        trace_ = trace;
        return true;
    }

    std::size_t buffer_bytes() const { return workspace_.bytes(); }

  private:
    void check(const torch::Tensor& x) const;

    SimVPOptions options_;
    const cpu::Kernels& kernels_;
    inference::Workspace workspace_;
    inference::CoderPlan coder_;
    std::unique_ptr<inference::TranslatorPlan> translator_;
    inference::Trace* trace_ = nullptr;
};

}  // namespace stl
