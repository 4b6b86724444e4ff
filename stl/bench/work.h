// What `stl bench` can time. To add one: a function that makes its cases and a line in the list of work.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stl/distributed/group.h"
#include "stl/inference/trace.h"
#include "stl/models/simvp.h"
#include "stl/run/experiment.h"
#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"
#include "stl/runtime/tuner.h"

namespace stl {

struct BenchOptions {
    SimVPOptions model;                    ///< translator included
    std::optional<Experiment> experiment;  ///< its data set and training settings
    std::int64_t batch = 1;
    torch::Device device = torch::kCPU;
    Precision precision = Precision::fp32;
    int threads = 0;                      ///< of loaders; 0: all cores
    bool checkpoint_activations = false;  ///< of train
    std::shared_ptr<Tuner> tuner{};       ///< of infer; null: nothing is timed beforehand
    const Group* group = nullptr;         ///< train: whose ranks average their gradients; null: none
};

/// One thing to time again and again.
struct BenchCase {
    Path path = Path::fast;
    std::function<void()> run;
    std::function<void()> prepare{};  ///< null, or: before each run, not timed
    std::int64_t batches = 1;         ///< that a call handles, each of [batch] sequences
    double macs = 0;                  ///< of a batch; 0: not counted
    double bytes = 0;                 ///< moved by a batch; 0: not counted
    /// While a graph was warmed up and captured: its replays use that memory and allocate none. 0: no graph.
    std::int64_t capture_peak_memory = 0;
    /// Null, or: runs once and records where the time goes.
    std::function<void(inference::Trace&)> profile;
};

struct BenchWork {
    std::string name;
    std::string help;
    std::optional<Work> network;  ///< what a network does in it; none: the same whatever the network
    std::vector<Path> paths;      ///< that it has on some device, the usual one last
    /// The case of one path. Error: this path is not there for these options.
    BenchCase (*make)(const BenchOptions& options, Path path);
};

const std::vector<BenchWork>& bench_works();
const BenchWork& find_bench_work(std::string_view name);
/// On a CPU in fp32, and in bf16 for training, and for inference where the processor multiplies it; on a GPU
/// with kernels of our own.
bool has_fast_path(const BenchOptions& options, const BenchWork& work);
/// Error: `work` has no such path or precision for these options; says what can be run instead.
void require_path(const BenchOptions& options, const BenchWork& work, Path path);

/// The benchmark's network: Moving MNIST, hid_S 64, hid_T 512, N_S 4, N_T 8, mlp_ratio 8.
SimVPOptions benchmark_model(const std::string& translator);

struct BenchTiming {
    double median = 0, best = 0;  ///< seconds of a batch
    /// Bytes in use at most (peak_memory of peaks.h) in any run or in the capture of the graph that it
    /// replays: all that the process had, the other cases' weights included.
    std::int64_t peak_memory = 0;
};

/// Runs the cases in turn, so that a busy moment hits them alike. before(): called before each run.
std::vector<BenchTiming> time_cases(const std::vector<BenchCase>& cases, torch::Device device, int warmup,
                                    int repeats, const std::function<void()>& before);

}  // namespace stl
