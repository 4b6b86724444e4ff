// Automatic mixed precision for one scope.
#pragma once

#include <string>

#include "stl/runtime/torch.h"

namespace stl {

class Autocast {
  public:
    /// In bfloat16. Leaves everything as it is where `on` is false.
    Autocast(torch::DeviceType device, bool on);
    /// In `type`; float32 leaves everything as it is.
    Autocast(torch::DeviceType device, torch::Dtype type);
    ~Autocast();
    Autocast(const Autocast&) = delete;
    Autocast& operator=(const Autocast&) = delete;

    static bool is_on(torch::DeviceType device);

  private:
    torch::DeviceType device_;
    bool on_;
    bool before_ = false;
    torch::Dtype type_before_ = torch::kBFloat16;
};

/// Whether a device has instructions for products in bfloat16. On a CPU without them LibTorch goes one number at
/// a time, hundreds of times slower than in float32. What `ATEN_CPU_CAPABILITY` holds to AVX2 counts as such.
bool multiplies_bfloat16(torch::Device device);

/// The type of products in a precision: of "fp32", "bf16" or "fp16". Error: another name.
torch::Dtype product_type(const std::string& precision);

}  // namespace stl
