// Fast inference of SimVP on the CPU: in float32, the same results as SimVP::predict to about 1e-6 of the largest
// output. x: [B,T,C,H,W].
//
// Everything is planned once from the model's weights: norms with fixed statistics, layer scales and
// shortcuts are folded into the adjacent maps, weights are packed for the kernels (stl/cpu),
// activations are channels last. In bfloat16, only the factors of products are rounded (for Winograd
// convolutions, after the transform): sums, norms and the values passed from layer to layer stay
// float32. Buffers are allocated in the first call and reused. The model may be freed or changed afterwards
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
    /// The model must be in evaluation mode, on the CPU. precision: fp32 or bf16. kernels: any that the machine can
    /// run (tests pass other ones than the best). tuner: chooses among implementations by timing them; null: our own
    /// kernels compute everything.
    explicit PlannedInference(const SimVPImpl& model, Precision precision = Precision::fp32,
                              const cpu::Kernels& kernels = cpu::kernels(), Tuner* tuner = nullptr);

    torch::Tensor forward(const torch::Tensor& x) override;
    /// One pass into `out`, [B,T,C,H,W] float32 contiguous, without allocation after the first call.
    void forward(const torch::Tensor& x, torch::Tensor& out);

    bool trace(inference::Trace* trace) override {
        trace_ = trace;
        return true;
    }

    std::size_t buffer_bytes() const { return workspace_.bytes(); }

  private:
    inference::Planning planning(Tuner* tuner) const;
    void check(const torch::Tensor& x) const;

    SimVPOptions options_;
    const cpu::Kernels& kernels_;
    inference::Workspace workspace_;
    inference::CoderPlan coder_;
    std::unique_ptr<inference::TranslatorPlan> translator_;
    inference::Trace* trace_ = nullptr;
};

}  // namespace stl
