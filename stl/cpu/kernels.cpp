#include "stl/cpu/kernels.h"

namespace stl::cpu {

namespace plain {
extern const Kernels table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace avx512_bf16 {
extern const Kernels table;
}
namespace amx {
extern const Kernels table;
}
#endif

const Kernels& kernels(Isa isa) {
#if defined(__x86_64__)
    if (isa == Isa::amx) return amx::table;
    if (isa == Isa::avx512_bf16) return avx512_bf16::table;
    if (isa == Isa::avx512) return avx512::table;
    if (isa == Isa::avx2) return avx2::table;
#endif
    static_cast<void>(isa);
    return plain::table;
}

std::size_t depthwise_scratch(int height, int width, int kernel, int dilation) {
    constexpr int widest_tile = 8, widest_vector = 16;
    const int line = (width + widest_tile - 1) / widest_tile * widest_tile + dilation * (kernel - 1);
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(line) * widest_vector;
}

std::size_t plane_scratch(int height, int width, int kernel, int dilation) {
    constexpr int widest_vector = 16;
    const int padded_width = (width + widest_vector - 1) / widest_vector * widest_vector;
    // A plane with its borders, and one without for the result or the gradient.
    return static_cast<std::size_t>(height) *
               static_cast<std::size_t>(2 * padded_width + dilation * (kernel - 1)) +
           widest_vector;
}

}  // namespace stl::cpu
