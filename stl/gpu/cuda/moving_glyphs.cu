#include "stl/gpu/cuda/launch.cuh"
#include "stl/gpu/cuda/launches.h"
#include "stl/gpu/moving_glyphs.h"

namespace stl::gpu::cuda {
namespace {

/// Grid: frame, sequence. Each block walks its glyphs from the start: a few steps, beside thousands of
/// pixels.
__global__ void __launch_bounds__(threads) moving_glyphs_kernel(const GlyphTask t) {
    __shared__ GlyphCorner corners[most_digits];
    const int frame = blockIdx.x, n = blockIdx.y;
    for (int i = threadIdx.x; i < t.digits; i += threads)
        corners[i] = glyph_corner(t, t.first + static_cast<std::uint64_t>(n), i, frame);
    __syncthreads();
    const int pixels = t.canvas * t.canvas;
    float* out = t.out + (static_cast<Index>(n) * t.frames + frame) * pixels;
    for (int pixel = threadIdx.x; pixel < pixels; pixel += threads)
        out[pixel] = glyph_pixel(t, corners, pixel);
}

}  // namespace

void moving_glyphs(const GlyphTask& t, Stream stream) {
    if (t.digits > most_digits) throw std::invalid_argument("moving glyphs: at most 256 of a sequence");
    const dim3 grid(static_cast<unsigned>(t.frames), static_cast<unsigned>(t.batch));
    launch("moving_glyphs", moving_glyphs_kernel, grid, threads, stream, t);
}

}  // namespace stl::gpu::cuda
