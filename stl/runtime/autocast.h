// Automatic mixed precision (bfloat16) for one scope.
#pragma once

#include "stl/runtime/torch.h"

namespace stl {

class Autocast {
  public:
    /// Leaves everything as it is where `on` is false.
    Autocast(torch::DeviceType device, bool on);
    ~Autocast();
    Autocast(const Autocast&) = delete;
    Autocast& operator=(const Autocast&) = delete;

    static bool is_on(torch::DeviceType device);

  private:
    torch::DeviceType device_;
    bool on_;
    bool before_ = false;
};

}  // namespace stl
