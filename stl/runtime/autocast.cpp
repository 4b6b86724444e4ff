#include "stl/runtime/autocast.h"

#include <ATen/autocast_mode.h>

namespace stl {

Autocast::Autocast(torch::DeviceType device, bool on) : device_(device), on_(on) {
    if (!on_) return;
    before_ = at::autocast::is_autocast_enabled(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
    at::autocast::increment_nesting();
}

Autocast::~Autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, before_);
}

bool Autocast::is_on(torch::DeviceType device) {
    return at::autocast::is_autocast_enabled(device);
}

}  // namespace stl
