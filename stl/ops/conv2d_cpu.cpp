#include "stl/ops/cpu_operations.h"
#include "stl/ops/depthwise_cpu.h"
#include "stl/ops/pointwise.h"
#include "stl/ops/tiled_convolution.h"

namespace stl::ops {
namespace {

/// Up to so many outputs a matrix product of their shape is the quickest.
constexpr std::int64_t few = 4;

/// What on tiles has to be turned around before products, and back behind them.
bool is_turned(const Tensor& x) {
    return takes(x) && on_tiles(x) && !x.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

Tensor CpuOperations::conv2d(const Tensor& x, const Convolution& c) const {
    if (takes_depthwise(x, c)) return depthwise(x, c);
    if (takes(x) && c.is_pointwise()) {
        if (c.weight.size(0) <= few) return few_outputs(x, c.weight, c.bias);
        if (on_tiles(x)) return pointwise(*this, x, c.weight, c.bias);
    }
    if (takes_tiled_convolution(x, c)) return tiled_convolution(x, c, cpu::kernels());
    return Operations::conv2d(x, c);
}

Tensor CpuOperations::to_products(const Tensor& x) const {
    return is_turned(x) ? with_channels_last(x) : x;
}

Tensor CpuOperations::from_products(const Tensor& y, const Tensor& x) const {
    return is_turned(x) ? with_channels_first(y) : y;
}

}  // namespace stl::ops
