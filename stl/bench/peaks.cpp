#include "stl/bench/peaks.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <torch/cuda.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "stl/core/clock.h"
#include "stl/fast/layers.h"

namespace stl {
namespace {

constexpr int repeats = 8;

template <class Work>
double best_seconds(torch::Device device, const Work& work) {
    double best = 1e30;
    for (int i = 0; i < repeats; ++i) {
        synchronize(device);
        const auto start = Clock::now();
        work();
        synchronize(device);
        best = std::min(best, seconds_since(start));
    }
    return best;
}

constexpr std::int64_t side = 2048;

/// The same product by the kernel of fast inference, which on some processors is the quicker one.
double best_seconds_of_ours(kernels::Precision precision) {
    const fast::PointwisePlan plan(
        Map{torch::rand({side, side}, torch::kFloat64), torch::zeros({side}, torch::kFloat64)}, precision);
    const auto a = torch::rand({side, side});
    auto c = torch::empty_like(a);
    fast::Workspace workspace;
    workspace.prepare(torch::get_num_threads());
    const fast::Frame frame{kernels::kernels(kernels::best_isa()), workspace, static_cast<int>(side), 1};
    return best_seconds(torch::kCPU, [&] {
        plan.run(frame, {a.data_ptr<float>(), side}, {c.data_ptr<float>(), side});
    });
}

}  // namespace

void synchronize(torch::Device device) {
    if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

Peaks measure_peaks(torch::Device device, torch::ScalarType type) {
    const torch::NoGradGuard no_grad;
    constexpr std::int64_t elements = std::int64_t{64} << 20;
    // A GPU is done with a small product before the host has noticed.
    const std::int64_t n = device.is_cuda() ? 4 * side : side;
    const auto options = torch::TensorOptions(device).dtype(type);
    const auto a = torch::rand({n, n}, options), b = torch::rand({n, n}, options);
    auto c = torch::empty({n, n}, options);
    Peaks peaks;
    double seconds = best_seconds(device, [&] { torch::mm_out(c, a, b); });
    if (device.is_cpu() && type == torch::kFloat32) {
        seconds = std::min(seconds, best_seconds_of_ours(kernels::Precision::float32));
    } else if (device.is_cpu() && kernels::multiplies_bfloat16(kernels::best_isa())) {
        seconds = std::min(seconds, best_seconds_of_ours(kernels::Precision::bfloat16));
    }
    peaks.flops = 2.0 * static_cast<double>(n * n * n) / seconds;
    const auto from = torch::ones({elements}, torch::TensorOptions(device).dtype(torch::kFloat32));
    auto to = torch::empty_like(from);
    peaks.bytes = 2.0 * sizeof(float) * elements / best_seconds(device, [&] { to.copy_(from); });
    return peaks;
}

std::int64_t peak_memory(torch::Device device) {
    if (device.is_cuda()) {
        const auto stats = c10::getDeviceAllocator(device.type())
                               ->getDeviceStats(std::max<c10::DeviceIndex>(0, device.index()));
        return stats.allocated_bytes[0].peak;
    }
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
    }
    return 0;
}

void reset_peak_memory(torch::Device device) {
    if (device.is_cuda()) {
        c10::getDeviceAllocator(device.type())->resetPeakStats(std::max<c10::DeviceIndex>(0, device.index()));
        return;
    }
    std::ofstream("/proc/self/clear_refs") << "5";  // resets VmHWM
}

}  // namespace stl
