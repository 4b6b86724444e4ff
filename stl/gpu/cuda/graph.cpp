#include "stl/gpu/cuda/graph.h"

#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>

#include <map>

namespace stl::gpu::cuda {
namespace {

/// Where the device's default generator stands. A capture that broke off leaves it believing that one is
/// under way; it then gets a state of its own anew.
class RandomState {
  public:
    RandomState()
        : generator_(at::cuda::detail::getDefaultCUDAGenerator()),
          seed_(generator_.current_seed()),
          offset_(generator_.get_offset()) {}

    void renew() const {
        auto fresh = at::cuda::detail::createCUDAGenerator(generator_.device().index());
        fresh.set_current_seed(seed_);
        fresh.set_offset(offset_);
        at::Generator(generator_).graphsafe_set_state(fresh);
    }

  private:
    at::Generator generator_;
    std::uint64_t seed_, offset_;
};

/// One for all graphs of a device: cuBLAS keeps a workspace, on Hopper of 32 MiB, for each stream that it has
/// seen.
c10::cuda::CUDAStream side_stream() {
    static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
    const auto device = c10::cuda::current_device();
    const auto found = streams.find(device);
    return found != streams.end() ? found->second
                                  : streams.emplace(device, c10::cuda::getStreamFromPool()).first->second;
}

class CapturedGraph : public Graph {
  public:
    void warm_up(const std::function<void()>& work) override {
        wait(c10::cuda::getCurrentCUDAStream(), stream_);
        {
            const c10::cuda::CUDAStreamGuard guard(stream_);
            work();
        }
        wait(stream_, c10::cuda::getCurrentCUDAStream());
    }

    void capture(const std::function<void()>& work) override {
        // What was freed before goes back, so that the graph's pool of its own does not double the memory.
        c10::cuda::device_synchronize();
        c10::cuda::CUDACachingAllocator::emptyCache();
        const c10::cuda::CUDAStreamGuard guard(stream_);
        const RandomState random;
        const auto pool = at::cuda::graph_pool_handle();  // known to us, whatever fails
        try {
            // Of this thread: the loader's may allocate pinned memory meanwhile.
            graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
            work();
            graph_.capture_end();
        } catch (...) {
            abandon(pool);
            random.renew();
            throw;
        }
    }

    void replay() override { graph_.replay(); }

  private:
    /// `after` starts when what is on `before` now is done.
    static void wait(const c10::cuda::CUDAStream& before, const c10::cuda::CUDAStream& after) {
        at::cuda::CUDAEvent event;
        event.record(before);
        event.block(after);
    }

    void abandon(c10::cuda::MempoolId_t pool) noexcept {
        try {
            graph_.capture_end();
        } catch (const std::exception&) {
            // It says that the capture is invalid, which is why we are here.
        }
        release(pool);
        try {
            graph_.reset();
        } catch (const std::exception&) {
            // Nothing was captured that could be reset.
        }
        cudaGetLastError();  // clears what the failed capture left
    }

    /// An invalid capture ends before the allocators hear of it, and they would believe it under way for
    /// ever. Where they have heard, these throw and do nothing.
    static void release(c10::cuda::MempoolId_t pool) noexcept {
        try {
            const auto device = c10::cuda::current_device();
            c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
            c10::cuda::CUDACachingAllocator::releasePool(device, pool);
        } catch (const std::exception&) {
        }
        try {
            auto* host = at::getHostAllocator(at::kCUDA);
            host->end_allocate_to_pool(pool);
            host->release_pool(pool);
        } catch (const std::exception&) {
        }
    }

    c10::cuda::CUDAStream stream_ = side_stream();
    at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<Graph> make_graph() {
    return std::make_unique<CapturedGraph>();
}

}  // namespace stl::gpu::cuda
