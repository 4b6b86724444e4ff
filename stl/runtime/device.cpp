#include "stl/runtime/device.h"

#include <ATen/Context.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <torch/cuda.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <latch>
#include <memory>
#include <system_error>
#include <thread>

#include "stl/core/cores.h"
#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/names.h"
#include "stl/cpu/parallel.h"

namespace stl {
namespace {

/// A library opened at run time; null where it is not there.
class Library {
  public:
    explicit Library(const char* name) : handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL), &close) {}
    explicit operator bool() const { return handle_ != nullptr; }
    template <class Function>
    Function* symbol(const char* name) const {
        return reinterpret_cast<Function*>(dlsym(handle_.get(), name));
    }

  private:
    static void close(void* handle) {
        if (handle != nullptr) dlclose(handle);
    }
    std::unique_ptr<void, void (*)(void*)> handle_;
};

// The part of NVML's interface that is needed here (its header comes with the CUDA toolkit alone).
struct NvmlMemory {
    unsigned long long total, free, used;
};
using NvmlDevice = struct nvmlDevice_st*;

fs::path folder_of_libtorch() {
    Dl_info info{};
    // Any function that lives in libtorch_cpu will do.
    if (dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &info) == 0) return {};
    return fs::path(info.dli_fname).parent_path();
}

fs::path cuda_library() {
    return folder_of_libtorch() / "libtorch_cuda.so";
}

/// Registers LibTorch's CUDA part with its CPU part; the library stays open, and opening it again does
/// nothing. Nothing may ask LibTorch for a GPU before this (torch::cuda, manual_seed, a backward pass): it
/// keeps the answer "none" for the rest of the process.
void open_cuda_library(const std::string& device) {
    if (list_gpus().empty()) fail("{}: no NVIDIA GPU (or no driver) on this machine", device);
    if (dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
        fail(
            "{}: LibTorch's CUDA library cannot be loaded ({}); tools/setup installs it on a machine with a "
            "GPU",
            device, dlerror());
    }
    if (!torch::cuda::is_available())
        fail("{}: LibTorch finds no usable GPU (is the driver too old?)", device);
    // fp32 is to mean it: LibTorch would let convolutions round to ten bits (TF32).
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
}

int most_threads() {
    return std::max(64, 4 * available_cores());
}

/// Where threads cannot be started LibTorch waits for them forever.
void require_threads(int count) {
    std::latch all_tried(1);
    std::vector<std::jthread> threads;  // joined at the end, after the latch is open
    try {
        for (int i = 0; i < count; ++i) threads.emplace_back([&] { all_tried.wait(); });
    } catch (const std::system_error& error) {
        all_tried.count_down();
        fail("threads: {} cannot be started ({})", count, error.code().message());
    }
    all_tried.count_down();
}

}  // namespace

std::vector<GpuInfo> list_gpus() {
    const Library nvml("libnvidia-ml.so.1");
    if (!nvml) return {};
    auto* init = nvml.symbol<int()>("nvmlInit_v2");
    auto* shut_down = nvml.symbol<int()>("nvmlShutdown");
    auto* count_of = nvml.symbol<int(unsigned*)>("nvmlDeviceGetCount_v2");
    auto* handle_of = nvml.symbol<int(unsigned, NvmlDevice*)>("nvmlDeviceGetHandleByIndex_v2");
    auto* name_of = nvml.symbol<int(NvmlDevice, char*, unsigned)>("nvmlDeviceGetName");
    auto* memory_of = nvml.symbol<int(NvmlDevice, NvmlMemory*)>("nvmlDeviceGetMemoryInfo");
    auto* driver_of = nvml.symbol<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
    if (!init || !shut_down || !count_of || !handle_of || !name_of || !memory_of || !driver_of) return {};
    if (init() != 0) return {};

    std::array<char, 96> text{};
    std::string driver;
    if (driver_of(text.data(), text.size()) == 0) driver = text.data();
    unsigned count = 0;
    if (count_of(&count) != 0) count = 0;
    std::vector<GpuInfo> gpus;
    for (unsigned i = 0; i < count; ++i) {
        NvmlDevice device = nullptr;
        if (handle_of(i, &device) != 0) continue;
        GpuInfo gpu{.name = "GPU", .driver = driver};
        if (name_of(device, text.data(), text.size()) == 0) gpu.name = text.data();
        NvmlMemory memory{};
        if (memory_of(device, &memory) == 0) {
            gpu.memory = memory.total;
            gpu.free = memory.free;
        }
        gpus.push_back(std::move(gpu));
    }
    shut_down();
    return gpus;
}

bool has_cuda_library() {
    return fs::exists(cuda_library());
}

torch::Device open_device(const std::string& name, Reporter& reporter) {
    if (name == "cpu") return torch::kCPU;
    if (name == "auto") {
        if (list_gpus().empty()) return torch::kCPU;
        try {
            return open_device("cuda", reporter);
        } catch (const Error& error) {
            reporter.warn(fmt::format("{}; going on on the CPU", error.what()));
            return torch::kCPU;
        }
    }
    int index = 0;
    if (name.starts_with("cuda:")) {
        const char* end = name.data() + name.size();
        const auto [stop, error] = std::from_chars(name.data() + 5, end, index);
        if (error != std::errc{} || stop != end || index < 0)
            fail("device {}: expected cpu, cuda or cuda:<number>", name);
    } else if (name != "cuda") {
        fail("device {}: expected cpu, cuda, cuda:<number> or auto", name);
    }
    open_cuda_library(name);
    const int count = static_cast<std::uint8_t>(torch::cuda::device_count());
    if (index >= count)
        fail("{}: no such GPU; this machine has {}, numbered from 0", name, counted(count, "GPU"));
    const torch::Device device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
    // Streams and kernels of our own are those of the current device.
    c10::impl::getDeviceGuardImpl(torch::kCUDA)->setDevice(device);
    return device;
}

torch::Device open_device(const std::string& name) {
    Reporter silent;
    return open_device(name, silent);
}

void check_threads(int threads) {
    if (threads < 0) fail("threads: {} is negative", threads);
    if (threads > most_threads())
        fail("threads: {}, expected at most {} on {}", threads, most_threads(),
             counted(available_cores(), "core"));
    require_threads(threads);
}

void set_threads(int threads) {
    if (threads == 0) {
        const char* limit = std::getenv("OMP_NUM_THREADS");
        threads = limit != nullptr ? std::atoi(limit) : 0;
        if (threads <= 0) threads = available_cores();
        threads = std::min(threads, most_threads());
    }
    check_threads(threads);
    at::set_num_threads(threads);
}

ThreadScope::ThreadScope(int threads) {
    if (threads <= 0) return;
    before_ = at::get_num_threads();  // at its first call in a thread, LibTorch sets a number of its own
    cpu::set_thread_count(threads);
}

ThreadScope::~ThreadScope() {
    if (before_ > 0) cpu::set_thread_count(before_);
}

bool is_out_of_memory(const std::exception& error) {
    if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
    const std::string_view text(error.what());
    return text.find("can't allocate memory") != text.npos ||
           text.find("Storage size calculation overflowed") != text.npos;
}

std::int64_t fitting_batch(std::int64_t batch, const std::function<void(std::int64_t size)>& attempt) {
    for (batch /= 2; batch >= 1; batch /= 2) {
        try {
            attempt(batch);
            return batch;
        } catch (const std::exception& error) {
            if (!is_out_of_memory(error)) throw;
        }
    }
    return 0;
}

}  // namespace stl
