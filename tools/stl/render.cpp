// stl render: videos, grids and figures of sequences and of what networks made of them.

#include <fmt/ranges.h>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "stl/media/video_writer.h"
#include "stl/render/comparison.h"
#include "stl/render/material.h"
#include "stl/render/strips.h"
#include "stl/runtime/device.h"
#include "tools/stl/checks.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/metric_options.h"

namespace stl::tools {
namespace {

struct RenderArguments {
    std::vector<std::string> sources;
    std::vector<std::string> predictions;
    DataFile truth;
    std::string output;
    TestSetOptions test;
    PredictorOptions predictor;
    std::string ssim = "openstl";
    std::optional<std::int64_t> sequences;
    std::vector<std::int64_t> index;
    std::vector<float> range;
    std::string theme;
    double fps = 0;
    int quality = 70;
    int figure_columns = 10;
    int channel = 0;
    bool figure = false, no_error = false, force = false;
    PanelOptions panels;
};

/// Whether SOURCE is a run or a checkpoint rather than a sequence file. Zip files are told apart by their extension.
bool is_network(const std::string& source) {
    const auto path = DataFile(source).path;
    if (RunFolder::is_run(path)) return true;
    if (!fs::exists(path) || fs::is_directory(path)) return false;
    const auto* format = format_of_file(path);
    if (format == nullptr) return !looks_like_video(path);
    return format->is_zip && format_of_name(path) == nullptr;
}

void write_figure(const RenderArguments& a, const Material& m, PanelOptions panels, bool svg) {
    // One scale for all rows, so that they compare.
    panels.error_top = error_top(m.sequences, panels);
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
        write_text(a.output, strips_svg(strips, options), a.force);
    else
        write_png(a.output, draw_strips(strips, options), a.force);
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

Material material(const RenderArguments& a, Console& console) {
    const SequenceChoice choice{a.index, a.sequences.value_or(a.figure ? 1 : 8), /*spread=*/true};
    const ReadOptions reading{.layout = a.test.layout, .external = a.test.external};
    if (!a.predictions.empty()) {
        const std::vector<DataFile> files(a.predictions.begin(), a.predictions.end());
        return stored_predictions(files, a.truth, reading, choice);
    }
    if (is_network(a.sources[0]))
        return predicted_sequences(a.sources, a.predictor, a.test, choice, console, interrupted);
    if (a.sources.size() != 1)
        throw UsageError("render: expected either one sequence file, or only runs and checkpoints");
    return stored_sequences(a.sources[0], reading, choice);
}

/// What shows as black and as white.
Brightness shown_range(const RenderArguments& a, const Material& m) {
    auto range = a.range.size() == 2 ? Brightness{.low = a.range[0], .high = a.range[1]} : value_range(m);
    if (a.channel > 0 && (a.channel >= m.shape.channels || m.shape.channels == 3)) {
        fail("render: --channel {} of frames with {}{}", a.channel, counted(m.shape.channels, "channel"),
             m.shape.channels == 3 ? ", which are shown as RGB" : "");
    }
    range.channel = a.channel;
    return range;
}

void run_render(RenderArguments a, Console& console) {
    const std::string extension = lower_case(fs::path(a.output).extension().string());
    const bool still = extension == ".png" || extension == ".svg";
    if (!still && a.figure) throw UsageError("render: --figure writes .png or .svg");
    if (!still && !is_video_output(a.output))
        create_video(a.output);  // throws, and names what can be written
    if (still || fs::path(a.output).has_extension()) refuse_existing(a.output, a.force);
    if (a.predictions.empty() != a.truth.empty())
        throw UsageError("render: --prediction and --truth require each other");
    if (a.predictions.empty() == a.sources.empty()) {
        throw UsageError("render: give runs or a sequence file, or --prediction and --truth");
    }
    a.panels.theme = find_theme(a.theme.empty() ? (a.figure ? "light" : "dark") : a.theme);
    a.panels.error = !a.no_error && !a.figure;
    set_threads(a.predictor.threads);
    Material m = material(a, console);
    for (const auto& line : m.warnings) console.warn(line);
    a.panels.range = shown_range(a, m);
    if (a.panels.title.empty() && !a.figure) a.panels.title = m.title;
    add_scores(m, parse_ssim_mode(a.ssim), a.panels.range);
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
        app.add_subcommand("render", "Render sequences and predictions as videos, grids and figures");
    command->add_option("SOURCE", a.sources,
                        "run folders or checkpoints (several are shown side by side), or one FILE[:DATASET]");
    begin_group(*command, "Input");
    command->add_option("--prediction", a.predictions, "FILE[:DATASET] of predictions (repeatable)");
    command->add_option(
        "--truth", a.truth,
        "FILE[:DATASET] of the true sequences: whole, or only the frames that were predicted");
    command->add_option("--data", a.test.data,
                        "runs: FILE[:DATASET] to predict (default: the experiment's test set)");
    command->add_option("--layout", a.test.layout, "axes of the --data file, e.g. TNHW or NTHWC");
    command->add_option("--frames", a.test.frames, "runs: frames to predict (default: the model's)")
        ->check(positive);
    auto* sequences =
        command
            ->add_option("--sequences", a.sequences,
                         "number of sequences, evenly spread over all (default: 8; --figure: 1)")
            ->check(positive);
    command->add_option("--index", a.index, "numbers of the sequences to show, from 0, e.g. 0,5,7")
        ->delimiter(',')
        ->excludes(sequences);
    add_allow_external(*command, a.test.external);
    begin_group(*command, "Output");
    command
        ->add_option(
            "-o,--output,--out", a.output,
            fmt::format("{}; .png .svg (a still); or a folder for PNGs", fmt::join(video_extensions(), " ")))
        ->required();
    command->add_option("--fps", a.fps, "frames per second (default: the file's, or 5)")->check(positive);
    command->add_option("--quality", a.quality, "quality of .mp4 and .webm, 0 (worst) to 100")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    command->add_flag("--force", a.force, "replace an existing output");
    begin_group(*command, "Picture");
    command
        ->add_option("--scale", a.panels.scale,
                     "screen pixels per frame pixel (default: as many as fit a screen)")
        ->check(positive);
    command->add_option("--columns", a.panels.columns, "sequences side by side (default: chosen to fit)")
        ->check(positive);
    command->add_option("--title", a.panels.title,
                        "line of text above the picture (default: the data's name)");
    command->add_option("--theme", a.theme, "dark or light (default: dark; --figure: light)")
        ->check(CLI::IsMember({"dark", "light"}));
    command
        ->add_option("--range", a.range,
                     "LOW,HIGH: values shown as black and as white (default: 0,1, or the data's range if it "
                     "exceeds that)")
        ->delimiter(',')
        ->expected(2);
    command
        ->add_option("--channel", a.channel,
                     "index of the channel to show, from 0, for frames that are neither gray nor RGB")
        ->check(not_negative)
        ->capture_default_str();
    command
        ->add_option("--error-top", a.panels.error_top,
                     "absolute error at the top of the colour scale (default: from the data)")
        ->check(positive);
    command->add_flag("--no-error", a.no_error, "leave out the panels of the absolute error");
    command->add_option("--ssim", a.ssim, "openstl (data range 2, as published) or standard (data range 1)")
        ->check(CLI::IsMember({"openstl", "standard"}))
        ->capture_default_str();
    command->add_flag("--figure", a.figure,
                      "figure for a paper: one row per model, one column per time step");
    command->add_option("--figure-columns", a.figure_columns, "maximum number of time steps in a figure")
        ->check(positive)
        ->capture_default_str();
    add_checkpoint_options(*command, a.predictor.weights, a.predictor.model_json);
    add_device_option(*command, a.predictor.device);
    add_threads_option(*command, a.predictor.threads);
    add_tune_option(*command, a.predictor.tuner);
    add_examples(*command, {"stl render runs/mmnist-gsta --output prediction.mp4",
                            "stl render runs/a runs/b --figure --output figure.svg"});
    command->callback([arguments, &console] { run_render(*arguments, console); });
}

}  // namespace stl::tools
