// A trained network's forward passes, whichever path they take. Another way: a class, and a line in make_inference().
#pragma once

#include <cstdint>
#include <memory>

#include "stl/core/reporter.h"
#include "stl/gpu/kernel_table.h"
#include "stl/inference/trace.h"
#include "stl/models/simvp.h"
#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"

namespace stl {

class Inference {
  public:
    virtual ~Inference() = default;
    Inference(const Inference&) = delete;
    Inference& operator=(const Inference&) = delete;

    /// One pass: x [B,T,C,H,W] -> [B,T,C,H,W], float32 on device(). Error: x's shape is not the model's.
    virtual torch::Tensor forward(const torch::Tensor& x) = 0;
    /// [B,T,C,H,W] -> [B,frames,C,H,W]: cut, or rolled out on its own predictions. The result stays, without gradients.
    torch::Tensor predict(const torch::Tensor& x, std::int64_t frames);
    /// Records from now on where the time of passes goes; null: no more. False: its parts are operators of LibTorch.
    virtual bool trace(inference::Trace* /*trace*/) { return false; }

    /// Whether the next pass overwrites the result of forward().
    virtual bool overwrites() const { return false; }

    torch::Device device() const { return device_; }
    Precision precision() const { return precision_; }

  protected:
    Inference(torch::Device device, Precision precision) : device_(device), precision_(precision) {}

  private:
    torch::Device device_;
    Precision precision_;
};

/// Of a model in evaluation mode, on the CPU: the plain path moves it to `device` and keeps it, the others copy what
/// they need. `reporter` is told where another precision than `asked` is computed, and why a GPU's passes are no
/// faster; it has to live as long. kernels: of a GPU's fast path; null: the device's own (tests give the emulated ones
/// to a CPU). Error: fp16 without a GPU.
std::unique_ptr<Inference> make_inference(SimVP model, torch::Device device, Path path, Precision asked,
                                          Reporter& reporter, const gpu::KernelTable* kernels = nullptr);

}  // namespace stl
