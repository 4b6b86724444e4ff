#include "stl/gpu/plugin.h"

#include <dlfcn.h>

#include "stl/core/error.h"
#include "stl/core/locate.h"
#include "stl/gpu/kernels_version.h"

namespace stl::gpu {
namespace {

constexpr const char* library_name = "libstl_cuda.so";

struct Opened {
    const KernelTable* kernels = nullptr;
    std::string problem;
};

/// The library stays open until the program ends: its kernels may be in use until then.
Opened open_plugin() {
    const auto file = plugin_file();
    if (file.empty())
        return {nullptr, fmt::format("{} is missing (it is built where nvcc is available)", library_name)};
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return {nullptr, fmt::format("{} cannot be opened: {}", file.string(), dlerror())};
    const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, plugin_entry));
    if (entry == nullptr) return {nullptr, fmt::format("{} has no {}", file.string(), plugin_entry)};
    const auto* kernels = entry();
    if (kernels->version != kernels_version) {
        return {nullptr, fmt::format("{} has the kernels of another build ({:016x}, expected {:016x})",
                                     file.string(), kernels->version, kernels_version)};
    }
    return {kernels, ""};
}

const Opened& opened() {
    static const Opened once = open_plugin();
    return once;
}

}  // namespace

fs::path plugin_file() {
    return locate_library(library_name);
}

const KernelTable* kernels_for(torch::Device device) {
    return device.is_cuda() ? opened().kernels : nullptr;
}

std::string why_no_kernels() {
    return opened().problem;
}

}  // namespace stl::gpu
