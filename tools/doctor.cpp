// stl doctor: what is here, what is missing, and how to get it.

#include <hdf5.h>
#include <torch/version.h>

#include <thread>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/data/locate.h"
#include "stl/gpu/plugin.h"
#include "stl/kernels/isa.h"
#include "stl/media/media_info.h"
#include "stl/media/video_writer.h"
#include "stl/runtime/autocast.h"
#include "stl/runtime/device.h"
#include "stl/runtime/torch.h"
#include "tools/command.h"

namespace stl::tools {
namespace {

std::string hdf5_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

Json devices() {
    Json list = Json::array();
    list.push_back(
        {{"device", "cpu"},
         {"name", fmt::format("{} cores, {}", std::thread::hardware_concurrency(), at::get_cpu_capability())},
         {"kernels", kernels::isa_name(kernels::best_isa())},
         {"free_bytes", available_memory()}});
    int index = 0;
    for (const auto& gpu : list_gpus()) {
        list.push_back({{"device", fmt::format("cuda:{}", index++)},
                        {"name", gpu.name},
                        {"driver", gpu.driver},
                        {"bytes", gpu.memory},
                        {"free_bytes", gpu.free}});
    }
    return list;
}

/// Of the file alone: opening it takes LibTorch's CUDA part, which a glance should not load.
std::string cuda_kernels() {
    const auto file = gpu::plugin_file();
    return file.empty() ? "not built in" : "built in (" + fs::weakly_canonical(file).string() + ")";
}

/// What is not here, each with the way to get it.
std::vector<std::string> missing(const Json& report) {
    std::vector<std::string> lines;
    if (report["devices"].size() == 1) {
        lines.push_back("no NVIDIA GPU: everything runs on the CPU");
    } else if (!has_cuda_library()) {
        lines.push_back(
            "a GPU, but LibTorch has no CUDA part: everything runs on the CPU; tools/setup fetches it");
    }
    if (!kernels::multiplies_bfloat16(kernels::best_isa())) {
        lines.push_back(
            fmt::format("no bfloat16 in this processor: {} asked for in bf16 will be in fp32",
                        multiplies_bfloat16(torch::kCPU) ? "prediction" : "prediction and training"));
    }
    for (const auto& [name, there] : report["encoders"].items()) {
        if (there.is_null()) lines.push_back("no encoder for " + name + ": install an FFmpeg that has one");
    }
    for (const auto& [name, path] : report["datasets"].items()) {
        if (path.is_null()) lines.push_back(fmt::format("no {0} found: see datasets/{0}/README.md", name));
    }
    return lines;
}

Json examine() {
    Json report = {{"stl", version()},           {"revision", revision()},
                   {"libtorch", TORCH_VERSION},  {"cuda_kernels", cuda_kernels()},
                   {"ffmpeg", ffmpeg_version()}, {"hdf5", hdf5_version()},
                   {"devices", devices()}};
    for (const auto& format : output_formats()) {
        report["encoders"][format.extension] = format.encoder.empty() ? Json(nullptr) : Json(format.encoder);
    }
    for (const auto& [name, path] : locate_datasets()) {
        report["datasets"][name] = path ? Json(path->string()) : Json(nullptr);
    }
    report["missing"] = missing(report);
    return report;
}

void print_report(const Json& report, Console& console) {
    const auto line = [&](const std::string& key, const std::string& value) {
        console.print(fmt::format("{:<13}{}", key, value));
    };
    line("stl",
         fmt::format("{} ({})", report["stl"].get<std::string>(), report["revision"].get<std::string>()));
    for (const char* key : {"libtorch", "cuda_kernels", "ffmpeg", "hdf5"})
        line(key, report[key].get<std::string>());
    for (const auto& device : report["devices"]) {
        const auto kernels = device.value("kernels", std::string());
        line("device", fmt::format("{}: {}{}, {} free", device["device"].get<std::string>(),
                                   device["name"].get<std::string>(),
                                   kernels.empty() ? "" : fmt::format(" (kernels of our own: {})", kernels),
                                   bytes_text(device["free_bytes"].get<std::uint64_t>())));
    }
    std::string encoders;
    for (const auto& [name, there] : report["encoders"].items()) {
        if (there.is_null()) continue;
        encoders += fmt::format("{}{} ({})", encoders.empty() ? "" : ", ", name, there.get<std::string>());
    }
    line("encoders", encoders);
    for (const auto& [name, path] : report["datasets"].items()) {
        if (!path.is_null()) line("data", name + ": " + path.get<std::string>());
    }
    for (const auto& text : report["missing"]) line("missing", text.get<std::string>());
}

}  // namespace

void add_doctor(CLI::App& app, Console& console) {
    auto json = std::make_shared<bool>(false);
    auto* command = app.add_subcommand("doctor", "Show versions, devices and data, and what is missing");
    command->add_flag("--json", *json, "print JSON");
    command->callback([json, &console] {
        const auto report = examine();
        if (*json) {
            console.print(report);
        } else {
            print_report(report, console);
        }
    });
}

}  // namespace stl::tools
