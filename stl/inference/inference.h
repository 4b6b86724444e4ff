// Forward passes of a trained network, by any path. To add a path: a derived class, and a line in make_inference().
#pragma once

#include <cstdint>
#include <memory>

#include "stl/core/reporter.h"
#include "stl/gpu/kernel_table.h"
#include "stl/inference/trace.h"
#include "stl/models/simvp.h"
#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"
#include "stl/runtime/tuner.h"

namespace stl {

class Inference {
  public:
    virtual ~Inference() = default;
    Inference(const Inference&) = delete;
    Inference& operator=(const Inference&) = delete;

    /// One pass: x [B,T,C,H,W] -> [B,T,C,H,W], float32 on device(). Error: x's shape is not the model's.
    virtual torch::Tensor forward(const torch::Tensor& x) = 0;
    /// [B,T,C,H,W] -> [B,frames,C,H,W]: truncated, or continued from its own predictions. Later passes do not overwrite
    /// the result, which has no gradients.
    torch::Tensor predict(const torch::Tensor& x, std::int64_t frames);
    /// From now on, records in `trace` where passes spend their time; null: stops. False: not supported, since the path
    /// consists of LibTorch operators.
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

/// `model` must be in evaluation mode, on the CPU: the plain path moves it to `device` and keeps it, the others copy
/// what they need. `reporter` is told if another precision than `asked` is computed, and why a GPU's passes are not
/// faster; it must outlive the result. kernels: for a GPU's fast path; null: the device's own (tests pass the emulated
/// ones for a CPU). tuner: of a CPU's fast path: chooses, by timing, what computes products; null: nothing is timed.
/// Error: fp16 without a GPU.
std::unique_ptr<Inference> make_inference(SimVP model, torch::Device device, Path path, Precision asked,
                                          Reporter& reporter, const gpu::KernelTable* kernels = nullptr,
                                          Tuner* tuner = nullptr);

/// Of a CPU's fast path: fp32 where bf16 was asked for and the network's largest products take longer in it, else
/// `asked`.
Precision quicker_precision(const SimVPOptions& model, Precision asked, Tuner& tuner);

}  // namespace stl
