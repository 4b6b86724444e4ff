#include "stl/runtime/precision.h"

#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "stl/core/error.h"
#include "stl/cpu/isa.h"

namespace stl {

ResolvedPrecision resolve_precision(Precision asked, Work work, torch::DeviceType device, Path path) {
    if (asked == Precision::fp16 && work == Work::training)
        fail("fp16 is only for inference, expected fp32, tf32 or bf16");
    if (device != torch::kCPU) return {asked, ""};
    switch (asked) {
        case Precision::fp16:
            fail("precision fp16 needs a GPU; on a CPU there are fp32 and bf16");
        case Precision::tf32:
            return {Precision::fp32, "TF32 is a format of GPUs"};
        case Precision::bf16: {
            // Fast inference has products of its own, all else LibTorch's.
            const bool own = work == Work::inference && path == Path::fast;
            if (own ? cpu::multiplies_bfloat16(cpu::best_isa()) : libtorch_multiplies_bfloat16()) break;
            return {Precision::fp32, "this CPU has no bfloat16 arithmetic"};
        }
        case Precision::fp32:
            break;
    }
    return {asked, ""};
}

bool libtorch_multiplies_bfloat16() {
    if (at::get_cpu_capability() == "AVX2") return false;
    const auto ask = c10::Dispatcher::singleton().findSchema({"mkldnn::_is_mkldnn_bf16_supported", ""});
    return ask && ask->typed<bool()>().call();
}

torch::Dtype product_type(Precision precision) {
    if (precision == Precision::bf16) return torch::kBFloat16;
    return precision == Precision::fp16 ? torch::kFloat16 : torch::kFloat32;
}

}  // namespace stl
