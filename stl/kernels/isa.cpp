#include "stl/kernels/isa.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace stl::kernels {

namespace {

/// The ceiling that LibTorch takes for its own kernels too.
Isa allowed_isa() {
    const char* capability = std::getenv("ATEN_CPU_CAPABILITY");
    if (capability == nullptr) return Isa::avx512_bf16;
    if (capability == std::string_view("default")) return Isa::plain;
    return capability == std::string_view("avx2") ? Isa::avx2 : Isa::avx512_bf16;
}

}  // namespace

std::string isa_name(Isa isa) {
    switch (isa) {
        case Isa::avx512_bf16:
            return "avx512_bf16";
        case Isa::avx512:
            return "avx512";
        case Isa::avx2:
            return "avx2";
        case Isa::plain:
            break;
    }
    return "plain";
}

std::vector<Isa> available_isas() {
    std::vector<Isa> isas{Isa::plain};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && isas.back() == Isa::avx2) {
        isas.push_back(Isa::avx512);
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16"))
            isas.push_back(Isa::avx512_bf16);
    }
#endif
    return isas;
}

Isa best_isa() {
    static const Isa best = std::min(available_isas().back(), allowed_isa());
    return best;
}

bool multiplies_bfloat16(Isa isa) {
    return isa == Isa::avx512_bf16;
}

}  // namespace stl::kernels
