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

constexpr KernelTable table = cuda::with_launches({
    .name = "emulated on the CPU",
    .current_stream = [] { return Stream{}; },
    .parts = [](Index, Index most) { return static_cast<int>(std::min<Index>(most, 3)); },
    .make_graph = []() -> std::unique_ptr<Graph> { return std::make_unique<RepeatedWork>(); },
});

}  // namespace

const KernelTable& emulated_kernels() {
    return table;
}

}  // namespace stl::gpu
