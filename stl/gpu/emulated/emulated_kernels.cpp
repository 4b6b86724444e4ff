#include "stl/gpu/emulated/emulated_kernels.h"

#include <algorithm>

#include "stl/gpu/cuda/launches.h"

namespace stl::gpu {
namespace {

/// Remembers the work; a replay does it.
class RepeatedWork : public Graph {
  public:
    void warm_up(const std::function<void()>& work) override { work(); }
    void capture(const std::function<void()>& work) override { work_ = work; }
    void replay() override { work_(); }

  private:
    std::function<void()> work_;
};

constexpr KernelTable table{
    .version = kernels_version,
    .name = "emulated on the CPU",
    .current_stream = [] { return Stream{}; },
    .parts = [](Index, Index most) { return static_cast<int>(std::min<Index>(most, 3)); },
    .make_graph = []() -> std::unique_ptr<Graph> { return std::make_unique<RepeatedWork>(); },
    .norm_silu = cuda::norm_silu,
    .norm_silu_gradient_sums = cuda::norm_silu_gradient_sums,
    .norm_silu_gradient = cuda::norm_silu_gradient,
    .depthwise = cuda::depthwise,
    .depthwise_filter_gradient = cuda::depthwise_filter_gradient,
    .residual = cuda::residual,
    .residual_gradient = cuda::residual_gradient,
    .gate = cuda::gate,
    .gate_gradient = cuda::gate_gradient,
    .batch_norm = cuda::batch_norm,
    .batch_norm_gradient_sums = cuda::batch_norm_gradient_sums,
    .batch_norm_gradient = cuda::batch_norm_gradient,
    .aggregation = cuda::aggregation,
    .aggregation_gradient = cuda::aggregation_gradient,
    .decomposition = cuda::decomposition,
    .decomposition_gradient_sums = cuda::decomposition_gradient_sums,
    .decomposition_gradient = cuda::decomposition_gradient,
    .adam = cuda::adam,
    .moving_glyphs = cuda::moving_glyphs,
};

}  // namespace

const KernelTable& emulated_kernels() {
    return table;
}

}  // namespace stl::gpu
