#include "stl/kernels/kernels.h"

namespace stl::kernels {

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
#endif

const Kernels& kernels(Isa isa) {
#if defined(__x86_64__)
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

void winograd_weights(const float* filter, float* points) {
    constexpr double p = 0.70710678118654752, q = 1.41421356237309505;
    // Each point's (1, x, x^2), divided by the product of its distances to the others.
    constexpr double at_p = 2 * 0.5 * (0.5 - 2.0), at_q = 2 * 2.0 * (2.0 - 0.5);
    constexpr double g[6][3] = {{1, 0, 0},
                                {1 / at_p, p / at_p, 0.5 / at_p},
                                {1 / at_p, -p / at_p, 0.5 / at_p},
                                {1 / at_q, q / at_q, 2.0 / at_q},
                                {1 / at_q, -q / at_q, 2.0 / at_q},
                                {0, 0, 1}};
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 6; ++j) {
            double value = 0;
            for (int y = 0; y < 3; ++y) {
                for (int x = 0; x < 3; ++x)
                    value += g[i][y] * g[j][x] * static_cast<double>(filter[y * 3 + x]);
            }
            points[i * 6 + j] = static_cast<float>(value);
        }
    }
}

}  // namespace stl::kernels
