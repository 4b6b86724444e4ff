#include "stl/bench/work.h"

#include <algorithm>
#include <memory>
#include <thread>

#include "stl/bench/peaks.h"
#include "stl/bench/record.h"
#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/loader.h"
#include "stl/glyphs/glyphs.h"
#include "stl/glyphs/moving_glyphs.h"
#include "stl/gpu/plugin.h"
#include "stl/inference/cpu/planned_inference.h"
#include "stl/inference/graph/graph_inference.h"
#include "stl/metrics/metrics.h"
#include "stl/models/complexity.h"
#include "stl/run/optimizer.h"
#include "stl/runtime/autocast.h"
#include "stl/runtime/tensor_memory.h"
#include "stl/train/graph_step.h"
#include "stl/train/step.h"

namespace stl {
namespace {

std::int64_t peak_of(torch::Device device, const std::function<void()>& work) {
    reset_peak_memory(device);
    work();
    synchronize(device);
    return peak_memory(device);
}

std::vector<std::int64_t> input_sizes(const BenchOptions& options) {
    const auto& m = options.model;
    return {options.batch, m.frames, m.channels, m.height, m.width};
}

/// Multiply-adds of one pass over a batch.
double pass_macs(const BenchOptions& options, const SimVPImpl& model) {
    return static_cast<double>(options.batch) *
           static_cast<double>(model_cost(model, Counting::evaluation).macs);
}

/// Error: what a GPU's fast path needs is not there.
const gpu::KernelTable& kernels_on(torch::Device device) {
    const auto* kernels = gpu::kernels_for(device);
    if (kernels == nullptr) fail("{}: no fast path: {}", device.str(), gpu::why_no_kernels());
    return *kernels;
}

/// A graph that cannot be captured is an error here: its time would be that of something else.
struct Refusing : Reporter {
    void warn(const std::string& line) override { fail("no fast path: {}", line); }
};

struct BenchInference {
    BenchInference(const SimVPImpl& model, const BenchOptions& options)
        : inference(make_graph_inference(model, options.device, gpu::kernels_for(options.device),
                                         product_type(options.precision), reporter)) {}

    Refusing reporter;
    std::unique_ptr<GraphInference> inference;
};

BenchCase make_infer(const BenchOptions& options, const std::string& path) {
    require_path(options, find_bench_work("infer"), path);
    const torch::NoGradGuard no_grad;
    torch::manual_seed(1);
    SimVP model(options.model);
    model->eval();
    const auto x = torch::rand(input_sizes(options), torch::TensorOptions(options.device));
    BenchCase made;
    made.path = path;
    made.macs = pass_macs(options, *model);
    if (path == "fast" && gpu::kernels_for(options.device) != nullptr) {
        const auto graph = std::make_shared<BenchInference>(*model, options);
        made.capture_peak_memory = peak_of(options.device, [&] {
            for (int i = 0; i <= passes_before_graph; ++i) graph->inference->forward(x);
        });
        made.run = [graph, x] { graph->inference->forward(x); };
        return made;
    }
    if (path == "fast") {
        const auto fast = std::make_shared<PlannedInference>(*model, precision_named(options.precision));
        const auto out = std::make_shared<torch::Tensor>(torch::empty_like(x));
        made.run = [fast, x, out] { fast->forward(x, *out); };
        made.profile = [fast, x, out](inference::Trace& trace) {
            fast->trace(&trace);
            fast->forward(x, *out);
            fast->trace(nullptr);
        };
        return made;
    }
    model->to(options.device);
    const auto type = product_type(options.precision);
    const auto device = options.device.type();
    made.run = [model, x, type, device]() mutable {
        const torch::InferenceMode guard;
        const Autocast autocast(device, type);
        model->forward(x);
    };
    made.profile = [run = made.run](inference::Trace& trace) { record_operators(trace, run); };
    return made;
}

struct Training {
    TrainOptions settings;  // the step refers to them, and to this
    Refusing reporter;
    SimVP model{nullptr};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<TrainStep> step;
    TrainBatch batch;
};

BenchCase make_train(const BenchOptions& options, const std::string& path) {
    require_path(options, find_bench_work("train"), path);
    torch::manual_seed(1);
    const auto training = std::make_shared<Training>();
    auto& settings = training->settings;
    if (options.experiment) settings = options.experiment->train;
    settings.precision = options.precision;
    training->model = SimVP(options.model);
    training->model->to(options.device);
    training->model->train();
    if (path == "fast") {
        if (options.device.is_cuda()) kernels_on(options.device);
        use_fast_operations(*training->model, options.device);
    }
    set_recompute(*training->model, options.checkpoint_activations || settings.checkpoint_activations);
    training->optimizer = std::make_unique<Optimizer>(training->model->parameters(), settings.optimizer);
    training->step =
        path == "fast" ? make_train_step(training->model, *training->optimizer, settings, training->reporter)
                       : make_plain_step(training->model, *training->optimizer, settings);
    const auto tensor = torch::TensorOptions(options.device);
    auto target = input_sizes(options);
    target[1] = options.model.predicted_frames();
    training->batch = {torch::rand(input_sizes(options), tensor), torch::rand(target, tensor)};
    BenchCase made;
    made.path = path;
    made.macs = 3.0 * pass_macs(options, *training->model);  // forward, and backward twice as much
    const ScheduleValue schedule{.lr = settings.optimizer.lr, .beta1 = settings.optimizer.beta1};
    made.run = [training, schedule] { (*training->step)(training->batch, schedule, nullptr); };
    if (path == "fast" && options.device.is_cuda()) {
        made.capture_peak_memory = peak_of(options.device, [&] {
            for (int i = 0; i <= graph_warm_up_steps; ++i) made.run();
        });
    }
    made.profile = [run = made.run](inference::Trace& trace) { record_operators(trace, run); };
    return made;
}

DatasetOptions dataset_options(const BenchOptions& options) {
    if (options.experiment) return options.experiment->dataset;
    return DatasetOptions::from_json(Json{{"name", "mmnist"}}, "bench");
}

int loader_threads(const BenchOptions& options) {
    return options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
}

BenchCase make_data(const BenchOptions& options, const std::string& path) {
    struct Source {
        std::unique_ptr<Dataset> dataset;
        std::unique_ptr<Loader> loader;
    };
    const auto source = std::make_shared<Source>();
    source->dataset = make_dataset(dataset_options(options), Split::train, 1);
    LoaderOptions loading;
    loading.batch_size = options.batch;
    loading.threads = loader_threads(options);
    source->loader = std::make_unique<Loader>(*source->dataset, loading);
    // Batches made ahead must not count as fast ones: the queue is emptied first, and a call takes several
    // times as many as it holds.
    for (int i = 0; i < 2 * loading.read_ahead; ++i) source->loader->next();
    constexpr std::int64_t fillings = 8;
    BenchCase made;
    made.path = path;
    made.batches = fillings * loading.read_ahead;
    made.bytes = static_cast<double>(options.batch * source->dataset->shape().elements()) * sizeof(float);
    made.run = [source, batches = made.batches] {
        for (std::int64_t i = 0; i < batches; ++i) source->loader->next();
    };
    return made;
}

BenchCase make_generate(const BenchOptions& options, const std::string& path) {
    struct Generator {
        GlyphSet glyphs;
        MovingGlyphOptions moving;
        std::vector<std::uint8_t> frames;
    };
    const auto generator = std::make_shared<Generator>();
    generator->glyphs = load_glyphs(locate_glyphs("mnist"));
    const auto strides = frame_major(generator->moving, options.batch);
    generator->frames.resize(static_cast<std::size_t>(generator->moving.frames * strides.frame));
    BenchCase made;
    made.path = path;
    made.bytes = static_cast<double>(generator->frames.size());
    made.run = [generator, strides, count = options.batch, threads = loader_threads(options)] {
        ProtocolPlanner planner(0, generator->moving, generator->glyphs);
        std::vector<MovingGlyphPlan> plans;
        for (std::int64_t i = 0; i < count; ++i) plans.push_back(planner.next());
        render_sequences(plans, generator->moving, generator->glyphs, strides, threads, generator->frames);
    };
    return made;
}

/// A file that goes with its owner.
struct TemporaryFile {
    TemporaryFile() : path(make_temporary_file(fs::temp_directory_path() / "stl-bench.h5")) {}
    ~TemporaryFile() {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    fs::path path;
};

BenchCase make_io(const BenchOptions& options, const std::string& path) {
    struct Stored {
        TemporaryFile file;
        std::unique_ptr<SequenceReader> reader;
        std::vector<float> values;
        std::int64_t next = 0;
    };
    const auto& m = options.model;
    const SequenceShape shape{2 * m.frames, m.channels, m.height, m.width};
    const std::int64_t count = std::max<std::int64_t>(256, options.batch);
    const auto stored = std::make_shared<Stored>();
    const auto row = torch::randint(0, 256, {shape.elements()}, torch::kUInt8);
    auto writer = create_sequences(stored->file.path.string(), count, shape, {.force = true});
    const std::span<const std::uint8_t> bytes(row.data_ptr<std::uint8_t>(),
                                              static_cast<std::size_t>(row.numel()));
    for (std::int64_t i = 0; i < count; ++i) writer->append(bytes);
    writer->finish();
    stored->reader = open_sequences(stored->file.path.string());
    stored->values.resize(static_cast<std::size_t>(options.batch * shape.elements()));
    BenchCase made;
    made.path = path;
    made.bytes = static_cast<double>(options.batch * shape.elements()) * (1 + sizeof(float));
    made.run = [stored, batch = options.batch, count] {
        if (stored->next + batch > count) stored->next = 0;
        stored->reader->read(stored->next, batch, stored->values);
        stored->next += batch;
    };
    return made;
}

BenchCase make_metrics(const BenchOptions& options, const std::string& path) {
    const auto tensor = torch::TensorOptions(options.device);
    const auto prediction = torch::rand(input_sizes(options), tensor),
               truth = torch::rand(input_sizes(options), tensor);
    const auto metrics = std::make_shared<MetricAccumulator>();
    BenchCase made;
    made.path = path;
    made.bytes = 2.0 * static_cast<double>(prediction.nbytes());
    made.run = [metrics, prediction, truth] { metrics->add(prediction, truth); };
    return made;
}

const std::vector<BenchWork> works{
    {"infer", "one pass of a network in evaluation", true, false, {"plain", "fast"}, make_infer},
    {"train", "a training step: forward, loss, backward, update", true, true, {"plain", "fast"}, make_train},
    {"data",
     "batches of the training set (moving glyphs unless an experiment says otherwise)",
     false,
     false,
     {"fast"},
     make_data},
    {"generate",
     "the published test set's first sequences (--batch 10000: all) into memory",
     false,
     false,
     {"fast"},
     make_generate},
    {"io", "reading sequences from an HDF5 file", false, false, {"fast"}, make_io},
    {"metrics", "the metrics of a prediction, without LPIPS", false, false, {"fast"}, make_metrics},
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

const std::vector<BenchWork>& bench_works() {
    return works;
}

const BenchWork& find_bench_work(std::string_view name) {
    return find_named(works, name, "work");
}

bool has_fast_path(const BenchOptions& options, const BenchWork& work) {
    if (!work.by_translator) return true;
    if (gpu::kernels_for(options.device) != nullptr) return true;
    if (!options.device.is_cpu()) return false;
    return options.precision == "fp32" || work.mixes_precision || cpu::multiplies_bfloat16(cpu::best_isa());
}

void require_path(const BenchOptions& options, const BenchWork& work, const std::string& path) {
    if (options.precision == "fp16" && work.mixes_precision)
        fail("{}: fp16 is for inference, expected fp32 or bf16", work.name);
    const bool on_cpu = options.device.is_cpu() && gpu::kernels_for(options.device) == nullptr;
    if (options.precision == "fp16" && on_cpu)
        fail("{}: precision fp16 needs a GPU; on a CPU there are fp32 and bf16", work.name);
    if (options.precision == "bf16" && on_cpu && !multiplies_bfloat16(options.device)) {
        fail(
            "{}: this CPU has no bfloat16 arithmetic; stl computes in fp32 instead "
            "(--precision fp32)",
            work.name);
    }
    if (path != "fast" || has_fast_path(options, work)) return;
    if (options.device.is_cuda()) kernels_on(options.device);  // says why
    fail("{}: no fast path in {}: this CPU has no bfloat16 arithmetic (--compare plain, --precision fp32)",
         work.name, options.precision);
}

SimVPOptions benchmark_model(const std::string& translator) {
    SimVPOptions model;
    model.translator = translator;
    model.hid_S = 64;
    model.hid_T = 512;
    model.N_S = 4;
    model.N_T = 8;
    return model;
}

std::vector<BenchTiming> time_cases(const std::vector<BenchCase>& cases, torch::Device device, int warmup,
                                    int repeats, const std::function<void()>& before) {
    std::vector<std::vector<double>> seconds(cases.size());
    std::vector<BenchTiming> timings(cases.size());
    release_freed_memory();  // what was freed before is not the cases'
    for (std::size_t c = 0; c < cases.size(); ++c) timings[c].peak_memory = cases[c].capture_peak_memory;
    for (int i = 0; i < warmup + repeats; ++i) {
        for (std::size_t c = 0; c < cases.size(); ++c) {
            if (before) before();
            reset_peak_memory(device);
            synchronize(device);
            const auto start = Clock::now();
            cases[c].run();
            synchronize(device);
            const double elapsed = seconds_since(start);
            if (i >= warmup) seconds[c].push_back(elapsed / static_cast<double>(cases[c].batches));
            timings[c].peak_memory = std::max(timings[c].peak_memory, peak_memory(device));
        }
    }
    for (std::size_t c = 0; c < cases.size(); ++c) {
        timings[c].median = median(seconds[c]);
        timings[c].best = *std::ranges::min_element(seconds[c]);
    }
    return timings;
}

}  // namespace stl
