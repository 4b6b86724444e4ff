// Automatic mixed precision, or TF32, for one scope.
#pragma once

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

/// Lets a GPU round the factors of products and convolutions to ten bits while it lives; a backward pass has to be in
/// its scope too. Leaves everything as it is where `on` is false.
class Tf32 {
  public:
    explicit Tf32(bool on);
    ~Tf32();
    Tf32(const Tf32&) = delete;
    Tf32& operator=(const Tf32&) = delete;

  private:
    bool on_, products_before_ = false, convolutions_before_ = false;
};

}  // namespace stl
