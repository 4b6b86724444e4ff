#include "stl/runtime/autocast.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

namespace stl {

Autocast::Autocast(torch::DeviceType device, bool on)
    : Autocast(device, on ? torch::kBFloat16 : torch::kFloat32) {}

Autocast::Autocast(torch::DeviceType device, torch::Dtype type)
    : device_(device), on_(type != torch::kFloat32) {
    if (!on_) return;
    before_ = at::autocast::is_autocast_enabled(device_);
    type_before_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, type);
    at::autocast::increment_nesting();
}

Autocast::~Autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_dtype(device_, type_before_);
    at::autocast::set_autocast_enabled(device_, before_);
}

bool Autocast::is_on(torch::DeviceType device) {
    return at::autocast::is_autocast_enabled(device);
}

Tf32::Tf32(bool on) : on_(on) {
    if (!on_) return;
    auto& context = at::globalContext();
    products_before_ = context.allowTF32CuBLAS();
    convolutions_before_ = context.allowTF32CuDNN();
    context.setAllowTF32CuBLAS(true);
    context.setAllowTF32CuDNN(true);
}

Tf32::~Tf32() {
    if (!on_) return;
    auto& context = at::globalContext();
    context.setAllowTF32CuBLAS(products_before_);
    context.setAllowTF32CuDNN(convolutions_before_);
}

}  // namespace stl
