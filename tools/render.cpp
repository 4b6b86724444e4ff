// stl render: videos, grids and figures of sequences and of what networks made of them.

#include <cmath>
#include <deque>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/eval/predictor.h"
#include "stl/media/png.h"
#include "stl/media/video_writer.h"
#include "stl/render/comparison.h"
#include "stl/render/strips.h"
#include "tools/checks.h"
#include "tools/metric_options.h"
#include "tools/test_set.h"

namespace stl::tools {
namespace {

struct RenderArguments {
    std::vector<std::string> sources;
    std::vector<std::string> predictions;
    std::string truth;
    std::string output;
    TestSetArguments test;
    PredictorOptions predictor;
    std::string ssim = "openstl";
    std::int64_t sequences = 0;
    std::vector<std::int64_t> index;
    std::vector<float> range;
    std::string theme;
    double fps = 0;
    int quality = 70;
    int figure_columns = 10;
    bool figure = false, no_error = false, force = false;
    PanelOptions panels;
};

/// Everything that is shown; the sequences are views of `values`.
struct Material {
    SequenceShape shape;
    double fps = 0;
    std::string title;
    std::deque<std::vector<float>> values;
    std::vector<PanelSequence> sequences;
};

bool is_network(const std::string& source) {
    const std::string extension = lower_case(fs::path(source).extension().string());
    return RunFolder::is_run(source) || extension == ".pth" || extension == ".ckpt" || extension == ".pt" ||
           extension == ".safetensors";
}

/// The numbers of the sequences to show: those asked for, or the first ones.
std::vector<std::int64_t> chosen(const RenderArguments& a, std::int64_t available, const std::string& where) {
    std::vector<std::int64_t> numbers = a.index;
    if (numbers.empty()) {
        const std::int64_t wanted = a.sequences > 0 ? a.sequences : a.figure ? 1 : 8;
        for (std::int64_t i = 0; i < std::min(wanted, available); ++i) numbers.push_back(i);
    }
    for (const auto i : numbers) {
        if (i < 0 || i >= available) fail("{}: no sequence {}, there are {} (from 0)", where, i, available);
    }
    if (numbers.empty()) fail("{}: holds no sequences", where);
    return numbers;
}

std::vector<float>& new_values(Material& m, std::int64_t count, const std::string& where) {
    require_memory(static_cast<std::uint64_t>(count) * sizeof(float), where);
    return m.values.emplace_back(static_cast<std::size_t>(count));
}

std::span<const float> part(std::span<const float> values, std::int64_t first, std::int64_t frames,
                            const SequenceShape& shape) {
    const std::int64_t n = shape.frame_elements();
    return values.subspan(static_cast<std::size_t>(first * n), static_cast<std::size_t>(frames * n));
}

/// FILE: its sequences as they are.
Material stored_sequences(const RenderArguments& a) {
    if (a.sources.size() != 1) throw UsageError("render: one sequence file, or runs and checkpoints alone");
    const std::string& file = a.sources[0];
    const auto reader = open_sequences(file, {.layout = a.test.layout});
    Material m{reader->info().shape, reader->info().fps, fs::path(file).filename().string(), {}, {}};
    for (const auto i : chosen(a, reader->info().count, file)) {
        auto& values = new_values(m, m.shape.elements(), file);
        reader->read(i, 1, values);
        m.sequences.push_back({fmt::format("#{}", i), values, {}, {}});
    }
    return m;
}

/// --prediction P --truth T: what stands in T before the predicted frames is the input.
Material stored_predictions(const RenderArguments& a) {
    const auto truth = open_sequences(a.truth, {.layout = a.test.layout});
    Material m{truth->info().shape, truth->info().fps, "", {}, {}};
    const auto numbers = chosen(a, truth->info().count, a.truth);
    for (const auto i : numbers) {
        auto& values = new_values(m, m.shape.elements(), a.truth);
        truth->read(i, 1, values);
        m.sequences.push_back({fmt::format("#{}", i), {}, values, {}});
    }
    for (const auto& file : a.predictions) {
        const auto reader = open_sequences(file);
        const auto& info = reader->info();
        SequenceShape expected = m.shape;
        expected.frames = info.shape.frames;
        if (info.shape != expected || info.shape.frames > m.shape.frames ||
            info.count < truth->info().count) {
            fail("{}: {} sequences of {} are no predictions for {} of {} in {}", file, info.count,
                 to_string(info.shape), truth->info().count, to_string(m.shape), a.truth);
        }
        for (std::size_t k = 0; k < numbers.size(); ++k) {
            PanelSequence& s = m.sequences[k];
            auto& values = new_values(m, info.shape.elements(), file);
            reader->read(numbers[k], 1, values);
            const std::span<const float> whole(m.values[k]);
            const std::int64_t seen = m.shape.frames - info.shape.frames;
            if (!s.models.empty() && part(whole, 0, seen, m.shape).size() != s.input.size()) {
                fail("{}: {} predicted frames, the other predictions have {}", file, info.shape.frames,
                     std::ssize(s.models[0].frames) / m.shape.frame_elements());
            }
            s.input = part(whole, 0, seen, m.shape);
            s.truth = part(whole, seen, info.shape.frames, m.shape);
            s.models.push_back(
                {a.predictions.size() > 1 ? fs::path(file).stem().string() : "", values, {}, {}});
        }
    }
    return m;
}

/// Of the test set: the sequences to show, under its file's name.
Material test_sequences(const RenderArguments& a, const DatasetOptions& set, const std::string& source) {
    const auto data = open_test_set(set);
    const auto files = data->files();
    const bool stored = !data->generated() && !files.empty();
    Material m{data->shape(), data->fps(), stored ? files.front().filename().string() : set.name, {}, {}};
    for (const auto i : chosen(a, data->size(), source)) {
        auto& values = new_values(m, m.shape.elements(), source);
        data->fetch(0, i, values);
        m.sequences.push_back({fmt::format("#{}", i),
                               part(values, 0, set.input_frames, m.shape),
                               part(values, set.input_frames, set.output_frames, m.shape),
                               {}});
    }
    return m;
}

/// Networks beside each other see and predict the same frames.
void require_alike(const Predictor& predictor, const DatasetOptions& set, const DatasetOptions& first,
                   const SequenceShape& shape, const std::string& source) {
    const auto& model = predictor.model();
    if (model.frames == first.input_frames && set.output_frames == first.output_frames &&
        model.channels == shape.channels && model.height == shape.height && model.width == shape.width)
        return;
    fail("{}: takes {} frames of {}x{}x{}, the others {} of {}x{}x{}", source, model.frames, model.channels,
         model.height, model.width, first.input_frames, shape.channels, shape.height, shape.width);
}

void add_predictions(Material& m, Predictor& predictor, const DatasetOptions& set, const std::string& name) {
    for (auto& s : m.sequences) {
        if (interrupted()) throw Interrupted("render: interrupted, nothing written");
        const auto x =
            torch::from_blob(const_cast<float*>(s.input.data()),
                             {1, set.input_frames, m.shape.channels, m.shape.height, m.shape.width});
        const auto y = predictor.predict(x, set.output_frames).to(torch::kCPU).contiguous();
        const float* first = y.const_data_ptr<float>();
        const auto& values = m.values.emplace_back(first, first + y.numel());
        s.models.push_back({name, values, {}, {}});
    }
}

/// Where several are shown.
std::string model_name(const Predictor& predictor) {
    return predictor.run() ? predictor.run()->name() : predictor.checkpoint().stem().string();
}

/// RUN...: test sequences and what every network makes of them.
Material predicted_sequences(const RenderArguments& a, Console& console) {
    Material m;
    DatasetOptions first;
    const bool several = a.sources.size() > 1;
    for (const auto& source : a.sources) {
        PredictorOptions options = a.predictor;
        options.source = source;
        if (!a.test.data.empty()) take_hints(options, a.test.data, a.test.layout);
        Predictor predictor(options, console);
        const DatasetOptions set = test_set_options(a.test, predictor);
        if (m.sequences.empty()) {
            first = set;
            m = test_sequences(a, set, source);
            if (!several) m.title += ": " + predictor.model().translator;
        }
        require_alike(predictor, set, first, m.shape, source);
        console.progress({0, 0, "predicting", source});
        add_predictions(m, predictor, set, several ? model_name(predictor) : "");
    }
    console.progress_end();
    return m;
}

torch::Tensor view(std::span<const float> values, const SequenceShape& shape) {
    return torch::from_blob(
        const_cast<float*>(values.data()),
        {1, std::ssize(values) / shape.frame_elements(), shape.channels, shape.height, shape.width});
}

/// Per-frame MSE and SSIM where there is a truth; SSIM only for values of the usual range.
void add_scores(Material& m, const RenderArguments& a, const ValueRange& range) {
    MetricOptions options;
    options.ssim = parse_ssim_mode(a.ssim);
    const bool unit = range.low == 0 && range.high == 1;
    for (auto& s : m.sequences) {
        for (auto& model : s.models) {
            if (s.truth.size() != model.frames.size()) continue;
            MetricAccumulator metrics(options);
            metrics.add(view(model.frames, m.shape), view(s.truth, m.shape));
            const MetricValues values = metrics.value();
            model.mse = values.frame_mse;
            if (unit) model.ssim = values.frame_ssim;
        }
    }
}

/// [0, 1] where the shown data keeps to it, else from its smallest to its largest value.
ValueRange value_range(const Material& m, const std::vector<float>& wanted) {
    if (wanted.size() == 2) return {wanted[0], wanted[1], 0};
    float low = 0, high = 1;
    for (const auto& s : m.sequences) {
        for (const auto part : {s.input, s.truth}) {
            for (const float v : part) {
                if (!std::isfinite(v)) continue;
                low = std::min(low, v);
                high = std::max(high, v);
            }
        }
    }
    return low >= -0.01F && high <= 1.01F ? ValueRange{} : ValueRange{low, high, 0};
}

void write_figure(const RenderArguments& a, const Material& m, const PanelOptions& panels, bool svg) {
    std::vector<Strip> strips;
    const bool plain = m.sequences[0].models.empty();
    for (const auto& s : m.sequences) {
        auto rows = figure_strips(s, m.shape, panels, a.figure_columns);
        // Rows of a plain list share one line of captions.
        if (plain && !strips.empty()) rows[0].captions.clear();
        rows[0].new_group = !plain;
        strips.insert(strips.end(), rows.begin(), rows.end());
    }
    const StripOptions options{panels.theme, panels.scale, panels.title};
    if (svg)
        write_text(a.output, strips_svg(strips, options));
    else
        write_png(a.output, draw_strips(strips, options));
}

std::int64_t write_frames(const RenderArguments& a, const Material& m, const PanelOptions& panels,
                          Console& console) {
    const Comparison comparison(m.sequences, m.shape, panels);
    const double fps = a.fps > 0 ? a.fps : m.fps > 0 ? m.fps : 5;
    const auto writer = create_video(a.output, {.fps = fps, .quality = a.quality, .force = a.force});
    for (std::int64_t k = 0; k < comparison.frames(); ++k) {
        if (interrupted()) throw Interrupted("render: interrupted, nothing written");
        writer->add(comparison.frame(k));
        console.progress({k + 1, comparison.frames(), "rendering", ""});
    }
    writer->finish();
    console.progress_end();
    return comparison.frames();
}

void run_render(RenderArguments a, Console& console) {
    const std::string extension = lower_case(fs::path(a.output).extension().string());
    const bool still = extension == ".png" || extension == ".svg";
    if (!still && a.figure) throw UsageError("render: --figure writes .png or .svg");
    if (!still && !is_video_output(a.output))
        create_video(a.output);  // throws, and names what can be written
    if (still || fs::path(a.output).has_extension()) refuse_existing(a.output, a.force);
    if (a.predictions.empty() != a.truth.empty())
        throw UsageError("render: --prediction and --truth go together");
    if (a.predictions.empty() == a.sources.empty()) {
        throw UsageError("render: give runs or a sequence file, or --prediction and --truth");
    }
    a.panels.theme = find_theme(a.theme.empty() ? (a.figure ? "light" : "dark") : a.theme);
    a.panels.error = !a.no_error && !a.figure;
    const bool networks = !a.sources.empty() && is_network(a.sources[0]);
    Material m = networks                ? predicted_sequences(a, console)
                 : a.predictions.empty() ? stored_sequences(a)
                                         : stored_predictions(a);
    a.panels.range = value_range(m, a.range);
    if (a.panels.title.empty() && !a.figure) a.panels.title = m.title;
    add_scores(m, a, a.panels.range);
    if (still) {
        write_figure(a, m, a.panels, extension == ".svg");
        console.info(fmt::format("{}: {}", a.output, counted(std::ssize(m.sequences), "sequence")));
    } else {
        if (extension == ".gif") a.panels.max_width = 1000, a.panels.max_height = 720;  // GIF files grow fast
        const auto frames = write_frames(a, m, a.panels, console);
        console.info(fmt::format("{}: {}, {}", a.output, counted(std::ssize(m.sequences), "sequence"),
                                 counted(static_cast<std::int64_t>(frames), "frame")));
    }
}

}  // namespace

void add_render(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<RenderArguments>();
    auto& a = *arguments;
    auto* command =
        app.add_subcommand("render", "Make videos, grids and figures of sequences and predictions");
    command->add_option("SOURCE", a.sources,
                        "runs or checkpoints (several: side by side), or a sequence file");
    command
        ->add_option("--output", a.output,
                     ".mp4 .mov .mkv .webm .gif .apng; .png .svg (a still); or a folder for PNGs")
        ->required();
    command->add_option("--prediction", a.predictions,
                        "FILE[:DATASET] of predictions; may be given several times");
    command->add_option("--truth", a.truth,
                        "FILE[:DATASET] of whole sequences, or of what was to be predicted");
    command->add_option("--data", a.test.data,
                        "of runs: FILE[:DATASET] to show (default: the experiment's test set)");
    command->add_option("--layout", a.test.layout, "axes of that file, e.g. TNHW or NTHWC");
    command->add_option("--frames", a.test.frames, "of runs: frames to predict")->check(positive);
    auto* sequences =
        command
            ->add_option("--sequences", a.sequences, "how many, from the first (default: 8, of a figure 1)")
            ->check(positive);
    command->add_option("--index", a.index, "numbers of the sequences to show, from 0")
        ->delimiter(',')
        ->excludes(sequences);
    command->add_option("--fps", a.fps, "frames a second (default: the file's, or 5)")->check(positive);
    command->add_option("--quality", a.quality, "of .mp4 and .webm, 0-100")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    command->add_option("--scale", a.panels.scale, "pixels a value (default: as many as fit a screen)")
        ->check(positive);
    command->add_option("--columns", a.panels.columns, "sequences side by side")->check(positive);
    command->add_option("--title", a.panels.title, "a line of text above");
    command->add_option("--theme", a.theme, "dark or light")->check(CLI::IsMember({"dark", "light"}));
    command->add_option("--range", a.range, "the values that show as black and as white, e.g. 0,1")
        ->delimiter(',')
        ->expected(2);
    command->add_option("--error-top", a.panels.error_top, "the error at the end of its colours")
        ->check(positive);
    command->add_flag("--no-error", a.no_error, "no panels of the absolute error");
    command->add_option("--ssim", a.ssim, "openstl or standard")
        ->check(CLI::IsMember({"openstl", "standard"}))
        ->capture_default_str();
    command->add_flag("--figure", a.figure, "a figure for a paper: a row per model, a column per time step");
    command->add_option("--figure-columns", a.figure_columns, "time steps in a still, at most")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--weights", a.predictor.weights, "of a run: last or best")
        ->check(CLI::IsMember({"last", "best"}))
        ->capture_default_str();
    command->add_option("--model", a.predictor.model_json,
                        "the model's configuration, where the checkpoint has none");
    command->add_option("--device", a.predictor.device, "cpu, cuda, cuda:<number> or auto")
        ->capture_default_str();
    command->add_option("--threads", a.predictor.threads, "CPU threads (default: all cores)")
        ->check(CLI::Range(0, 4096));
    command->add_flag("--force", a.force, "replace an existing output");
    command->callback([arguments, &console] { run_render(*arguments, console); });
}

}  // namespace stl::tools
