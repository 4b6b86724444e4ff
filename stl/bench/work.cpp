#include "stl/bench/work.h"

#include <algorithm>
#include <memory>

#include "stl/bench/peaks.h"
#include "stl/bench/record.h"
#include "stl/core/clock.h"
#include "stl/core/cores.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/loader.h"
#include "stl/glyphs/glyphs.h"
#include "stl/glyphs/moving_glyphs.h"
#include "stl/gpu/plugin.h"
#include "stl/inference/graph/graph_inference.h"
#include "stl/metrics/metrics.h"
#include "stl/models/complexity.h"
#include "stl/run/optimizer.h"
#include "stl/runtime/tensor_memory.h"
#include "stl/train/graph_step.h"
#include "stl/train/run_state.h"
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

BenchCase make_infer(const BenchOptions& options, Path path) {
    require_path(options, find_bench_work("infer"), path);
    struct Passes {
        Refusing reporter;
        std::unique_ptr<Inference> inference;
    };
    const auto passes = std::make_shared<Passes>();
    torch::manual_seed(1);
    SimVP model(options.model);
    model->eval();
    BenchCase made;
    made.path = path;
    made.macs = pass_macs(options, *model);
    passes->inference = make_inference(model, options.device, path, options.precision, passes->reporter,
                                       /*kernels=*/nullptr, options.tuner.get());
    const auto x = torch::rand(input_sizes(options), torch::TensorOptions(options.device));
    if (path == Path::plain) {
        made.run = [passes, x] {
            const torch::InferenceMode guard;
            passes->inference->forward(x);
        };
    } else {
        made.run = [passes, x] { passes->inference->forward(x); };
    }
    if (path == Path::fast && gpu::kernels_for(options.device) != nullptr) {
        made.capture_peak_memory = peak_of(options.device, [&] {
            for (int i = 0; i <= passes_before_graph; ++i) made.run();
        });
        return made;
    }
    made.profile = [passes, run = made.run](inference::Trace& trace) {
        if (!passes->inference->trace(&trace)) return record_operators(trace, run);
        run();
        passes->inference->trace(nullptr);
    };
    return made;
}

struct Training {
    TrainOptions settings;  // the step refers to them, and to this
    Refusing reporter;
    SimVP model{nullptr};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<GradientAverage> average;
    std::unique_ptr<TrainStep> step;
    TrainBatch batch;
};

BenchCase make_train(const BenchOptions& options, Path path) {
    require_path(options, find_bench_work("train"), path);
    torch::manual_seed(1);
    const auto training = std::make_shared<Training>();
    auto& settings = training->settings;
    if (options.experiment) settings = options.experiment->train;
    settings.precision = options.precision;
    training->model = SimVP(options.model);
    training->model->to(options.device);
    training->model->train();
    if (path == Path::fast) {
        if (options.device.is_cuda()) kernels_on(options.device);
        use_fast_operations(*training->model, options.device);
    }
    set_recompute(*training->model, options.checkpoint_activations || settings.checkpoint_activations);
    training->optimizer = std::make_unique<Optimizer>(training->model->parameters(), settings.optimizer);
    if (options.group != nullptr)
        training->average = std::make_unique<GradientAverage>(*options.group, training->model->parameters());
    training->step =
        path == Path::fast && options.group == nullptr
            ? make_train_step(training->model, *training->optimizer, settings, training->reporter)
            : make_plain_step(training->model, *training->optimizer, settings, /*weights=*/nullptr,
                              training->average.get());
    const auto tensor = torch::TensorOptions(options.device);
    auto target = input_sizes(options);
    target[1] = options.model.predicted_frames();
    training->batch = {torch::rand(input_sizes(options), tensor), torch::rand(target, tensor)};
    BenchCase made;
    made.path = path;
    made.macs = 3.0 * pass_macs(options, *training->model);  // forward, and backward twice as much
    const ScheduleValue schedule{.lr = settings.optimizer.lr, .beta1 = settings.optimizer.betas[0]};
    made.run = [training, schedule] { (*training->step)(training->batch, schedule, nullptr); };
    if (path == Path::fast && options.device.is_cuda()) {
        made.capture_peak_memory = peak_of(options.device, [&] {
            for (int i = 0; i <= graph_warm_up_steps; ++i) made.run();
        });
    }
    made.profile = [run = made.run](inference::Trace& trace) { record_operators(trace, run); };
    return made;
}

/// A folder that goes with its owner.
struct TemporaryFolder {
    TemporaryFolder() : path(make_temporary_folder(fs::temp_directory_path() / "stl-bench")) {}
    ~TemporaryFolder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    fs::path path;
};

/// What a step waits for when a checkpoint is due.
BenchCase make_save(const BenchOptions& options, Path path) {
    struct Run {
        TemporaryFolder folder;
        std::optional<RunFolder> run;
        RunState state{};  // the last one: it may be writing into the run
    };
    torch::manual_seed(1);
    const auto training = std::make_shared<Run>();
    auto& state = training->state;
    state.device = options.device;
    state.model = SimVP(options.model);
    state.model->to(options.device);
    state.optimizer = std::make_unique<Optimizer>(state.model->parameters(), OptimizerOptions{});
    state.record = Json::object();
    training->run = RunFolder::create(training->folder.path / "run", false);
    BenchCase made;
    made.path = path;
    for (const auto& parameter : state.model->parameters())
        made.bytes += 3 * static_cast<double>(parameter.nbytes());  // with Adam's two moments
    made.prepare = [training] { training->state.wait_for_checkpoints(); };
    made.run = [training, waits = path == Path::plain] {
        training->state.save_last(*training->run, 1);
        if (waits) training->state.wait_for_checkpoints();
    };
    return made;
}

DatasetOptions dataset_options(const BenchOptions& options) {
    if (options.experiment) return options.experiment->dataset;
    return DatasetOptions::from_json(Json{{"name", "mmnist"}}, "bench");
}

int loader_threads(const BenchOptions& options) {
    return options.threads > 0 ? options.threads : available_cores();
}

BenchCase make_data(const BenchOptions& options, Path path) {
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

BenchCase make_generate(const BenchOptions& options, Path path) {
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

BenchCase make_io(const BenchOptions& options, Path path) {
    struct Stored {
        TemporaryFolder folder;
        std::unique_ptr<SequenceReader> reader;
        std::vector<float> values;
        std::int64_t next = 0;
    };
    const auto& m = options.model;
    const SequenceShape shape{2 * m.frames, m.channels, m.height, m.width};
    const std::int64_t count = std::max<std::int64_t>(256, options.batch);
    const auto stored = std::make_shared<Stored>();
    const auto file = (stored->folder.path / "sequences.h5").string();
    const auto row = torch::randint(0, 256, {shape.elements()}, torch::kUInt8);
    auto writer = create_sequences(file, count, shape, {});
    const std::span<const std::uint8_t> bytes(row.data_ptr<std::uint8_t>(),
                                              static_cast<std::size_t>(row.numel()));
    for (std::int64_t i = 0; i < count; ++i) writer->append(bytes);
    writer->finish();
    stored->reader = open_sequences(file);
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

BenchCase make_metrics(const BenchOptions& options, Path path) {
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
    {"infer",
     "one forward pass of a network in evaluation mode",
     Work::inference,
     {Path::plain, Path::fast},
     make_infer},
    {"train",
     "a training step: forward, loss, backward, update",
     Work::training,
     {Path::plain, Path::fast},
     make_train},
    {"save",
     "what a training step waits for when a checkpoint is due: written in the background (fast) or before "
     "the step goes on",
     Work::training,
     {Path::plain, Path::fast},
     make_save},
    {"data",
     "loading batches of the experiment's training set (default: moving glyphs)",
     {},
     {Path::fast},
     make_data},
    {"generate",
     "generating the published test set's first --batch sequences (10000: all) in memory",
     {},
     {Path::fast},
     make_generate},
    {"io", "reading sequences from an HDF5 file", {}, {Path::fast}, make_io},
    {"metrics", "computing the metrics of a prediction, without LPIPS", {}, {Path::fast}, make_metrics},
};

/// Error: as resolve_precision() has it.
ResolvedPrecision resolved(const BenchOptions& options, const BenchWork& work, Path path) {
    try {
        return resolve_precision(options.precision, work.network.value_or(Work::inference),
                                 options.device.type(), work.network ? path : Path::plain);
    } catch (const Error& error) {
        fail("{}: {}", work.name, error.what());
    }
}

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
    if (!work.network) return true;
    if (!options.device.is_cpu()) return gpu::kernels_for(options.device) != nullptr;
    return *work.network == Work::training || resolved(options, work, Path::fast).reason.empty();
}

void require_path(const BenchOptions& options, const BenchWork& work, Path path) {
    if (path == Path::fast && work.network && options.device.is_cuda())
        kernels_on(options.device);  // says why
    const auto [precision, reason] = resolved(options, work, path);
    if (reason.empty()) return;
    if (path == Path::fast && resolved(options, work, Path::plain).reason.empty()) {
        fail("{}: no fast path in {}: {} (--compare plain, --precision fp32)", work.name,
             name_of(options.precision), reason);
    }
    fail("{}: {}; stl computes in {} instead (--precision {})", work.name, reason, name_of(precision),
         name_of(precision));
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
            if (cases[c].prepare) cases[c].prepare();
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
