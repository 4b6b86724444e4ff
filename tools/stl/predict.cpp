// stl predict: predicted frames for any sequence file, video or stream.

#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/eval/test_set.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/video_writer.h"
#include "stl/predict/predict.h"
#include "stl/predict/predictor.h"
#include "stl/predict/tiles.h"
#include "stl/runtime/device.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/frame_size.h"
#include "tools/stl/ranks.h"

namespace stl::tools {
namespace {

struct PredictArguments {
    PredictorOptions predictor;
    std::string checkpoint;
    DataFile input;
    DataFile output;
    SourceOptions source;
    std::optional<double> at, fps, folder_fps;
    std::string fit = "stretch";
    std::string raw;
    std::int64_t frames = 0;
    std::int64_t batch = 16;
    bool force = false;
    bool full_size = false;
    bool with_input = false;
    bool tile = false;
    std::string tile_size;
    std::optional<std::int64_t> overlap;
    RankOptions ranks;
};

constexpr std::uint64_t predictions_at_once = std::uint64_t{256} << 20;  ///< bytes

/// As many sequences at a time as asked for, and fewer where their frames are large.
std::int64_t batch_for(const SequenceShape& prediction, std::int64_t wanted) {
    const auto each = static_cast<std::uint64_t>(prediction.elements()) * sizeof(float);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(predictions_at_once / each), 1, wanted);
}

void run_stream(const PredictArguments& arguments, Predictor& predictor, Console& console) {
    const auto format = parse_raw_format(arguments.raw);
    const auto& model = predictor.model();
    if (format.width != model.width || format.height != model.height || format.channels != model.channels) {
        fail("--raw {}: the model expects {}x{}:{}", arguments.raw, model.width, model.height,
             model.channels == 1 ? "gray" : "rgb");
    }
    std::ios::sync_with_stdio(false);
    std::signal(SIGPIPE, SIG_IGN);  // a reader that has seen enough is not a failure
    const auto written = predict_stream(
        std::cin, std::cout, format, model.frames,
        [&](const torch::Tensor& x) { return predictor.predict(x, 1); },
        predictor.trained_range().value_or(ValueRange{}), interrupted);
    console.info(fmt::format("{} predicted frames written", written));
}

/// Of the ranks that do not write.
struct NoSink : PredictionSink {
    void append(const torch::Tensor& /*predictions*/) override {}
    void finish() override {}
};

/// All that the predictions of a file need.
struct FilePrediction {
    std::unique_ptr<PredictionSource> source;
    std::unique_ptr<PredictionSink> sink;
    PredictFunction predict;
    SequenceShape shape;
};

FilePrediction open_files(const PredictArguments& arguments, Predictor& predictor, const Group* group,
                          Console& console) {
    // Several ranks stop together, between their batches.
    const StopRequested stop = group == nullptr ? StopRequested(interrupted) : StopRequested();
    const auto& model = predictor.model();
    auto options = arguments.source;
    options.at = arguments.at;
    options.fps = arguments.fps;
    options.folder_fps = arguments.folder_fps;
    options.fit = parse_fit(arguments.fit);
    options.trained_fps = predictor.trained_fps();
    options.trained_range = predictor.trained_range();
    options.stop = stop;
    options.own_size = arguments.tile;
    options.counted = needs_count(arguments.output);
    FilePrediction opened;
    auto& source = opened.source;
    source = open_source(arguments.input, {model.frames, model.channels, model.height, model.width}, options,
                         console);
    const auto shape_in = source->shape();
    auto& shape = opened.shape;
    shape = shape_in;
    shape.frames = arguments.frames > 0 ? arguments.frames : predictor.output_frames();
    auto& predict = opened.predict;
    predict = [&predictor, frames = shape.frames](const torch::Tensor& x) {
        return predictor.predict(x, frames);
    };
    const std::int64_t inputs = arguments.with_input ? shape_in.frames : 0;
    shape.frames += inputs;
    if (arguments.with_input && !arguments.tile) predict = with_input(predict);
    double pixel_aspect = 1;
    if (arguments.tile) {
        predict = tiled(
            predict, {model.height, model.width, arguments.overlap, model.stride(), arguments.batch}, stop);
        if (arguments.with_input) predict = with_input(predict);
    } else if (arguments.full_size) {
        const auto size = video_frame_size(arguments.input.string(), options);
        shape.height = size.height;
        shape.width = size.width;
        pixel_aspect = size.pixel_aspect;
        predict = scaled(predict, size);
    }
    require_memory(2 * static_cast<std::uint64_t>(shape.elements()) * sizeof(float),
                   arguments.input.string());
    if (group != nullptr && !group->leads()) {
        opened.sink = std::make_unique<NoSink>();
        return opened;
    }
    opened.sink = open_sink(
        arguments.output, source->count(), shape,
        {.fps = source->fps(),
         .pixel_aspect = pixel_aspect,
         .range = predictor.trained_range().value_or(ValueRange{}),
         .attributes = {{"source",
                         DataFile(arguments.input.path.filename(), arguments.input.dataset).string()},
                        {"made_by", "stl predict"},
                        {"model", arguments.predictor.source},
                        {"stl", version_and_revision()}},
         .inputs = inputs,
         .force = arguments.force});
    return opened;
}

void run_files(const PredictArguments& arguments, FilePrediction& files, Group* group, Console& console) {
    const auto& shape = files.shape;
    const auto count =
        predict_all(*files.source, *files.sink, files.predict,
                    batch_for(shape, arguments.tile ? 1 : arguments.batch), console, interrupted, group);
    console.info(fmt::format("{}: {} of {}", arguments.output.string(), counted(count, "prediction"),
                             to_string(shape)));
}

void check_sizes(PredictArguments& a, bool stream) {
    const bool video = !stream && is_video_input(a.input);
    if (!a.tile_size.empty()) {
        const auto size = parse_frame_size(a.tile_size, "predict: --tile-size");
        a.predictor.size = {size.height, size.width};
        a.predictor.frame = {0, 0, size.height, size.width};
    }
    if (stream) {
        const auto raw = parse_raw_format(a.raw);
        a.predictor.frame = {0, raw.channels, raw.height, raw.width};
    }
    // The size of larger frames does not reveal the network's.
    if (!stream && !video && !a.tile) take_hints(a.predictor, a.input, a.source.reading);
}

/// Refuses options that do not apply to the chosen kind of input.
void refuse_unused(const PredictArguments& a, const CLI::App& command) {
    const auto refuse = [&](std::initializer_list<const char*> names, const char* why) {
        for (const char* name : names) {
            if (command.count(name) > 0) throw UsageError(fmt::format("predict: {} {}", name, why));
        }
    };
    if (a.input.path == "-") {
        refuse({"--frames", "--batch", "--layout", "--force", "--tile", "--with-input"},
               "is not for streams");
    } else {
        refuse({"--raw"}, "is for streams (--input - --output -)");
    }
    if (a.input.path != "-" && is_video_input(a.input)) {
        refuse({"--layout"}, "is for sequence files");
    } else {
        refuse(
            {"--at", "--every", "--full-size", "--stream", "--max-pixels", "--fps", "--folder-fps", "--fit"},
            "is for videos");
    }
}

void run_predict(PredictArguments arguments, Group* group, Console& console) {
    if (group != nullptr) arguments.predictor.tuner.reset();  // ranks may not choose differently
    const bool stream = arguments.input.path == "-" || arguments.output.path == "-";
    std::optional<Predictor> predictor;
    FilePrediction files;
    const auto prepare = [&] {
        if (arguments.predictor.source.empty()) arguments.predictor.source = arguments.checkpoint;
        if (arguments.predictor.source.empty()) throw UsageError("predict: a RUN or CHECKPOINT is required");
        if (stream && (arguments.input.path != arguments.output.path || arguments.raw.empty())) {
            throw UsageError("predict: a stream needs --input -, --output - and --raw WIDTHxHEIGHT:gray|rgb");
        }
        if (stream && group != nullptr) throw UsageError("predict: a stream is predicted by one process");
        if (!stream && (group == nullptr || group->leads())) {
            // Before any work is done.
            const auto& output = arguments.output.path;
            refuse_existing(output, arguments.force);
            if (same_file(arguments.input, arguments.output))
                fail("{}: is the input, choose another --output", output.string());
        }
        check_sizes(arguments, stream);
        set_threads(arguments.predictor.threads);
        predictor.emplace(arguments.predictor, console);
        if (!stream) files = open_files(arguments, *predictor, group, console);
    };
    if (group != nullptr) group->note("opening what is predicted from", /*slow=*/true);
    together(group, prepare);
    if (stream) {
        run_stream(arguments, *predictor, console);
    } else {
        run_files(arguments, files, group, console);
    }
}

}  // namespace

void add_predict(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<PredictArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand("predict", "Predict the next frames of sequences or a video");
    auto* source =
        command->add_option("SOURCE", a.predictor.source, "run folder or checkpoint (FILE or FILE:KEY)");
    begin_group(*command, "Input");
    command
        ->add_option("--input", a.input,
                     fmt::format("FILE[:DATASET] {}, a video, a folder of pictures, or - (a stream)",
                                 fmt::join(sequence_extensions(), " ")))
        ->required();
    command->add_option("--layout", a.source.reading.layout, "sequence file: axes, e.g. TNHW or NTHWC");
    add_allow_external(*command, a.source.reading.external);
    begin_group(*command, "Video input");
    auto* at = command
                   ->add_option("--at", a.at,
                                "predict what follows this time, in seconds (default: what follows the end)")
                   ->check(positive);
    command->add_option("--every", a.source.every, "slide along the video and predict every N frames")
        ->excludes(at)
        ->check(positive);
    command
        ->add_option("--fps", a.fps,
                     "frames per second to read (default: those of the training data, or as stored)")
        ->check(positive);
    command
        ->add_option(
            "--folder-fps", a.folder_fps,
            "frames per second that a folder of pictures or a multi-page TIFF has (default: what the TIFF "
            "says, else those of the training data, or 25)")
        ->check(positive);
    command->add_option("--fit", a.fit, "how to fit frames whose aspect ratio differs: stretch, crop or pad")
        ->check(CLI::IsMember({"stretch", "crop", "pad"}))
        ->capture_default_str();
    command
        ->add_option("--stream", a.source.stream,
                     "index of the stream, as ffprobe shows it (default: the one FFmpeg considers best)")
        ->check(not_negative);
    command->add_option("--max-pixels", a.source.max_pixels, "refuse frames with more pixels")
        ->check(positive)
        ->capture_default_str();
    begin_group(*command, "Output");
    command
        ->add_option("-o,--output,--out", a.output,
                     fmt::format("FILE[:DATASET] {}, {}, a folder for PNGs, or - (a stream)",
                                 fmt::join(sequence_extensions(&SequenceFormat::writes), " "),
                                 fmt::join(video_extensions(), " ")))
        ->required();
    command
        ->add_option(
            "--frames", a.frames,
            "frames to predict (default: the model's; further ones are predicted from its own predictions)")
        ->check(positive);
    command->add_flag("--full-size", a.full_size,
                      "video: scale predictions to the clip's own size (default: the network's size)");
    command->add_flag(
        "--with-input", a.with_input,
        "put the frames that were seen before those predicted from them; videos are enlarged and slowed down "
        "to be looked at, with a coloured frame around what was predicted");
    command->add_flag("--force", a.force, "replace an existing output");
    begin_group(*command, "Tiles");
    auto* tile =
        command->add_flag("--tile", a.tile, "predict large frames at full size, in overlapping tiles");
    command
        ->add_option("--tile-size", a.tile_size,
                     "WIDTHxHEIGHT of a tile in pixels (default: the size that the network was trained on)")
        ->needs(tile);
    command
        ->add_option("--tile-overlap", a.overlap,
                     "overlap of neighbouring tiles in pixels (default: a quarter of a tile)")
        ->needs(tile)
        ->check(not_negative);
    begin_group(*command, "Streams");
    command->add_option("--raw", a.raw,
                        "WIDTHxHEIGHT:gray|rgb of raw frames on standard input and output: once enough input "
                        "frames have arrived, each new frame yields a prediction of the one after it");
    add_checkpoint_options(*command, a.predictor.weights, a.predictor.model_json);
    begin_group(*command, "Model");
    command->add_option("--checkpoint", a.checkpoint, "run folder or checkpoint; another name for SOURCE")
        ->excludes(source);
    begin_group(*command, "Compute");
    command->add_option("--batch", a.batch, "sequences (with --tile: tiles) per batch")
        ->check(positive)
        ->capture_default_str();
    add_compute_options(*command, a.predictor);
    add_rank_options(*command, a.ranks);
    add_examples(*command, {"stl predict runs/mmnist-gsta --input clip.mp4 --output next.mp4",
                            "stl predict model.pth --input test.h5 --output prediction.h5 --batch 8"});
    command->callback([arguments, command, &console] {
        refuse_unused(*arguments, *command);
        with_ranks(arguments->ranks, console, [&](Group* group) { run_predict(*arguments, group, console); });
    });
}

}  // namespace stl::tools
