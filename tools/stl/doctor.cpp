// stl doctor: what is here, what is missing, and how to get it.

#include <ATen/Version.h>
#include <hdf5.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "stl/bench/peaks.h"
#include "stl/core/array.h"
#include "stl/core/cores.h"
#include "stl/core/cpu_time.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/cpu/isa.h"
#include "stl/data/registry.h"
#include "stl/distributed/group.h"
#include "stl/gpu/plugin.h"
#include "stl/media/media_info.h"
#include "stl/media/video_writer.h"
#include "stl/runtime/device.h"
#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"
#include "stl/runtime/tuner.h"
#include "tools/stl/command.h"

namespace stl::tools {
namespace {

std::string hdf5_version() {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned release = 0;
    H5get_libversion(&major, &minor, &release);
    return fmt::format("{}.{}.{}", major, minor, release);
}

/// Bytes of a core's caches and of the one that cores share; null where the system does not say.
Json caches() {
    const auto bytes = [](int name) -> Json {
        const long size = sysconf(name);
        return size > 0 ? Json(size) : Json(nullptr);
    };
    return {{"l1_data", bytes(_SC_LEVEL1_DCACHE_SIZE)},
            {"l2", bytes(_SC_LEVEL2_CACHE_SIZE)},
            {"l3", bytes(_SC_LEVEL3_CACHE_SIZE)}};
}

std::string amx() {
    switch (cpu::tile_support()) {
        case cpu::TileSupport::usable:
            return cpu::best_isa() == cpu::Isa::amx ? "in use"
                                                    : "usable, but ATEN_CPU_CAPABILITY excludes it";
        case cpu::TileSupport::refused:
            return "refused by the system";
        case cpu::TileSupport::missing:
            break;
    }
    return "missing";
}

/// Products' FLOP/s here and now, and the precision that they advise; bf16 is null where nothing multiplies it.
Json products() {
    constexpr std::int64_t side = 1024;
    constexpr int repeats = 6;
    constexpr double worth_it = 1.2;  // below that, what bf16 gains is not worth its rounding
    const double fp32 = product_flops(Precision::fp32, side, repeats);
    if (!cpu::multiplies_bfloat16(cpu::best_isa()))
        return {{"fp32", fp32}, {"bf16", nullptr}, {"advised", "fp32"}};
    const double bf16 = product_flops(Precision::bf16, side, repeats);
    return {{"fp32", fp32}, {"bf16", bf16}, {"advised", bf16 > worth_it * fp32 ? "bf16" : "fp32"}};
}

/// The environment's setting by which OpenMP's threads wait for each other: "GOMP_SPINCOUNT=500".
Json waiting() {
    for (const auto* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
        if (const char* value = std::getenv(name)) return fmt::format("{}={}", name, value);
    }
    return nullptr;
}

Json devices() {
    Json list = Json::array();
    const auto before = cpu_time();
    auto measured = products();
    list.push_back(
        {{"device", "cpu"},
         {"name", fmt::format("{}, {}", counted(available_cores(), "core"), at::get_cpu_capability())},
         {"kernels", cpu::isa_name(cpu::best_isa())},
         {"amx", amx()},
         {"caches", caches()},
         {"products", std::move(measured)},
         {"choices", Tuner(choices_file()).choices()},
         {"openmp_waiting", waiting()},
         {"core_share", share_between(before, cpu_time())},
         {"free_bytes", available_memory().bytes}});
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

/// Versions of what LibTorch multiplies with.
std::string math_libraries() {
    return first_line(at::get_mkldnn_version()) + "; " + first_line(at::get_mkl_version());
}

/// Of the file alone: opening it takes LibTorch's CUDA part, which a glance should not load.
std::string cuda_kernels() {
    const auto file = gpu::plugin_file();
    return file.empty() ? "not built in" : "built in (" + fs::weakly_canonical(file).string() + ")";
}

/// What ranks on CPUs need. Of files alone, too.
std::string ranks_support() {
    const auto file = mpi_transport_file();
    return file.empty() ? "not built in" : "MPI, built in (" + fs::weakly_canonical(file).string() + ")";
}

bool is_in_path(const char* program) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (!folder.empty() && ::access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
    }
    return false;
}

/// What is not here, each with the way to get it.
std::vector<std::string> missing(const Json& report) {
    std::vector<std::string> lines;
    if (report["devices"].size() == 1) {
        lines.push_back("no NVIDIA GPU: everything runs on the CPU");
    } else if (!has_cuda_library()) {
        lines.push_back(
            "there is a GPU, but LibTorch lacks its CUDA library: everything runs on the CPU; tools/setup "
            "installs it");
    }
    std::string reason;
    std::vector<std::string> works;
    for (const auto work : {Work::inference, Work::training}) {
        const auto resolved = resolve_precision(Precision::bf16, work, torch::kCPU, Path::fast);
        if (resolved.reason.empty()) continue;
        reason = resolved.reason;
        works.emplace_back(work == Work::inference ? "prediction" : "training");
    }
    if (!works.empty())
        lines.push_back(
            fmt::format("{}: {} in bf16 will be computed in fp32", reason, fmt::join(works, " and ")));
    if (mpi_transport_file().empty()) {
        lines.emplace_back(
            "no MPI: training runs on one device; apt-get install libopenmpi-dev, then build again");
    } else if (!is_in_path("mpirun")) {
        lines.emplace_back("no mpirun, which starts several processes: apt-get install openmpi-bin");
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
    Json report = {{"stl", version()},          {"revision", revision()},
                   {"libtorch", TORCH_VERSION}, {"cuda_kernels", cuda_kernels()},
                   {"ranks", ranks_support()},  {"ffmpeg", ffmpeg_version()},
                   {"hdf5", hdf5_version()},    {"math_libraries", math_libraries()},
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

std::string caches_text(const Json& caches) {
    const auto text = [&](const char* name) {
        return caches[name].is_null() ? "unknown" : bytes_text(caches[name].get<std::uint64_t>());
    };
    return fmt::format("L1 data {}, L2 {}, L3 {}", text("l1_data"), text("l2"), text("l3"));
}

std::string products_text(const Json& products) {
    constexpr double giga = 1e9;
    const double fp32 = products["fp32"].get<double>();
    if (products["bf16"].is_null())
        return fmt::format("{:.0f} GFLOP/s in fp32; no bfloat16 arithmetic; recommended: fp32", fp32 / giga);
    const double bf16 = products["bf16"].get<double>();
    return fmt::format(
        "{:.0f} GFLOP/s in fp32, {:.0f} in bf16 (measured now); recommended for prediction: {}", fp32 / giga,
        bf16 / giga, products["advised"].get<std::string>());
}

/// What prediction found quickest (stl/runtime/tuner.h): the exceptions, by name.
std::string choices_text(const Json& choices) {
    if (choices.empty()) return "none measured yet (the first prediction with a network does)";
    std::vector<std::string> others;
    for (const auto& [work, name] : choices.items()) {
        if (name != "own" && name != "bf16")
            others.push_back(fmt::format("{}: {}", work, name.get<std::string>()));
    }
    return fmt::format(
        "{} measured; {}", choices.size(),
        others.empty() ? "stl's own kernels are the quickest" : fmt::format("{}", fmt::join(others, "; ")));
}

void print_report(const Json& report, Console& console) {
    const auto line = [&](const std::string& key, const std::string& value) {
        console.print(fmt::format("{:<16}{}", key, value));
    };
    line("stl",
         fmt::format("{} ({})", report["stl"].get<std::string>(), report["revision"].get<std::string>()));
    for (const char* key : {"libtorch", "cuda_kernels", "ranks", "ffmpeg", "hdf5"})
        line(key, report[key].get<std::string>());
    for (const auto& device : report["devices"]) {
        const auto kernels = device.value("kernels", std::string());
        line("device",
             fmt::format(
                 "{}: {}{}, {} free", device["device"].get<std::string>(), device["name"].get<std::string>(),
                 kernels.empty()
                     ? ""
                     : fmt::format(" ({}: {})",
                                   device["device"] == "cpu" ? "stl's kernels" : "stl's own CUDA kernels",
                                   kernels),
                 bytes_text(device["free_bytes"].get<std::uint64_t>())));
    }
    const auto& cpu = report["devices"].front();
    line("cores", fmt::format("{:.0f} % of the time that stl's threads could use just now was theirs",
                              100 * cpu["core_share"].get<double>()));
    line("amx", cpu["amx"].get<std::string>());
    line("caches", caches_text(cpu["caches"]));
    line("matrix products", products_text(cpu["products"]));
    line("choices", choices_text(cpu["choices"]));
    line("libraries", report["math_libraries"].get<std::string>());
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
    auto* command =
        app.add_subcommand("doctor", "Show versions, devices and data sets, and report what is missing");
    command->add_flag("--json", *json, "print JSON")->group("Output");
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
