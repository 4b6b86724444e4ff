#include "stl/runtime/autocast.h"

#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "stl/core/error.h"

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

bool multiplies_bfloat16(torch::Device device) {
    if (!device.is_cpu()) return true;
    if (at::get_cpu_capability() == "AVX2") return false;
    const auto ask = c10::Dispatcher::singleton().findSchema({"mkldnn::_is_mkldnn_bf16_supported", ""});
    return ask && ask->typed<bool()>().call();
}

torch::Dtype product_type(const std::string& precision) {
    if (precision == "fp32") return torch::kFloat32;
    if (precision == "bf16") return torch::kBFloat16;
    if (precision == "fp16") return torch::kFloat16;
    fail("precision '{}' is not known, expected fp32, bf16 or fp16", precision);
}

}  // namespace stl
