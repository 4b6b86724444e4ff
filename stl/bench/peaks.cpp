#include "stl/bench/peaks.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <torch/cuda.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "stl/core/clock.h"
#include "stl/cpu/isa.h"
#include "stl/inference/cpu/product_trial.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

template <class Work>
double best_seconds(torch::Device device, int repeats, const Work& work) {
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

double best_seconds_of_product(const torch::TensorOptions& options, std::int64_t side, int repeats) {
    const auto a = torch::rand({side, side}, options), b = torch::rand({side, side}, options);
    auto c = torch::empty({side, side}, options);
    return best_seconds(options.device(), repeats, [&] { torch::mm_out(c, a, b); });
}

/// The same product by the kernel of fast inference, which on some processors is the quicker one.
double best_seconds_of_ours(cpu::Type type, std::int64_t side, int repeats) {
    inference::ProductTrial trial(type, side, side, side);
    trial.run();
    return best_seconds(torch::kCPU, repeats, [&] { trial.run(); });
}

double flops(std::int64_t side, double seconds) {
    return 2.0 * static_cast<double>(side * side * side) / seconds;
}

}  // namespace

double product_flops(Precision precision, std::int64_t side, int repeats) {
    const torch::NoGradGuard no_grad;
    double seconds = best_seconds_of_product(torch::dtype(product_type(precision)), side, repeats);
    if (precision == Precision::fp32) {
        seconds = std::min(seconds, best_seconds_of_ours(cpu::Type::float32, side, repeats));
    } else if (precision == Precision::bf16 && cpu::multiplies_bfloat16(cpu::best_isa())) {
        seconds = std::min(seconds, best_seconds_of_ours(cpu::Type::bfloat16, side, repeats));
    }
    return flops(side, seconds);
}

void synchronize(torch::Device device) {
    if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

Peaks measure_peaks(torch::Device device, Precision precision) {
    const Tf32 tf32(precision == Precision::tf32);
    const torch::NoGradGuard no_grad;
    constexpr std::int64_t elements = std::int64_t{64} << 20;
    // A GPU is done with a small product before the host has noticed.
    constexpr std::int64_t side = 2048, side_on_gpu = 4 * side;
    constexpr int repeats = 8;
    Peaks peaks;
    peaks.flops = device.is_cpu()
                      ? product_flops(precision, side, repeats)
                      : flops(side_on_gpu, best_seconds_of_product(
                                               torch::TensorOptions(device).dtype(product_type(precision)),
                                               side_on_gpu, repeats));
    const auto from = torch::ones({elements}, torch::TensorOptions(device).dtype(torch::kFloat32));
    auto to = torch::empty_like(from);
    peaks.bytes = 2.0 * sizeof(float) * elements / best_seconds(device, repeats, [&] { to.copy_(from); });
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
