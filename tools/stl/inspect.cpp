// stl inspect: what is in a file of sequences or a video, in numbers and as a picture.

#include "stl/import/inspect.h"

#include "stl/core/error.h"
#include "stl/core/few_bits.h"
#include "stl/core/names.h"
#include "stl/data/normalization.h"
#include "stl/formats/sequence_formats.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "stl/predict/source.h"
#include "stl/render/strips.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"

namespace stl::tools {
namespace {

struct InspectArguments {
    DataFile file;
    ReadOptions reading;
    std::int64_t rows = 1000;
    std::string sheet;
    std::int64_t sequences = 8;
    int columns = 10;
    std::int64_t max_pixels = default_max_pixels;
    bool json = false, force = false;
};

Json numbers(const SequenceStatistics& s) {
    return {{"rows", s.rows},           {"mean", s.mean},
            {"deviation", s.deviation}, {"minimum", s.minimum},
            {"maximum", s.maximum},     {"motion", s.motion},
            {"still", s.still},         {"non_finite", s.non_finite}};
}

/// A row of frames for each of some sequences, evenly spread over the file.
void write_sheet(const InspectArguments& a, const SequenceReader& reader, const SequenceStatistics& s) {
    const SequenceInfo& info = reader.info();
    PanelOptions options;
    if (const auto range = other_than_unit(info.range)) {
        options.range = {static_cast<float>(range->low), static_cast<float>(range->high), 0};
    } else if (s.minimum < -0.01 || s.maximum > 1.01) {
        options.range = {static_cast<float>(s.minimum), static_cast<float>(s.maximum), 0};
    }
    std::vector<float> values(static_cast<std::size_t>(info.shape.elements()));
    std::vector<Strip> strips;
    const std::int64_t count = std::min(a.sequences, info.count);
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = i * info.count / count;
        reader.read(row, 1, values);
        const PanelSequence sequence{fmt::format("#{}", row), values, {}, {}};
        auto rows = figure_strips(sequence, info.shape, options, a.columns);
        if (i > 0) rows[0].captions.clear();
        rows[0].new_group = false;
        strips.insert(strips.end(), rows.begin(), rows.end());
    }
    const std::string title =
        fmt::format("{}: {} sequences of {}", DataFile(a.file.path.filename(), a.file.dataset).string(),
                    info.count, to_string(info.shape));
    write_png(a.sheet, draw_strips(strips, {dark_theme, 0, title}), a.force);
}

/// Without all but the first entries of long lists.
Json shortened(Json attributes) {
    constexpr std::size_t most_listed = 5;
    for (auto& value : attributes) {
        if (!value.is_array() || value.size() <= most_listed) continue;
        const auto more = value.size() - most_listed;
        value.erase(value.begin() + most_listed, value.end());
        value.push_back(fmt::format("... and {} more (--json lists all)", more));
    }
    return attributes;
}

void inspect_sequences(const InspectArguments& a, Console& console) {
    const auto reader = open_sequences(a.file, a.reading);
    const SequenceInfo& info = reader->info();
    for (const auto& line : info.warnings) console.warn(line);
    const SequenceStatistics s = measure(*reader, a.rows, console, interrupted);
    const auto bits = few_bits(s.minimum, s.maximum, info.range);
    const auto splits = count_splits(*reader);
    const bool marked = splits[0] + splits[1] + splits[2] > 0;
    if (!a.sheet.empty()) write_sheet(a, *reader, s);
    if (a.json) {
        Json json{{"file", a.file.string()},
                  {"sequences", info.count},
                  {"shape", {info.shape.frames, info.shape.channels, info.shape.height, info.shape.width}},
                  {"dtype", dtype_name(info.dtype)},
                  {"fps", info.fps},
                  {"range", info.range ? info.range->to_json() : Json(nullptr)},
                  {"splits", nullptr},
                  {"statistics", numbers(s)},
                  {"attributes", info.attributes},
                  {"warnings", info.warnings}};
        if (!bits.empty()) json["warnings"].push_back(bits);
        if (marked) json["splits"] = {{"train", splits[0]}, {"validation", splits[1]}, {"test", splits[2]}};
        return console.print(json);
    }
    console.print(fmt::format("{}: {} of {}, {}{}", a.file.string(), counted(info.count, "sequence"),
                              to_string(info.shape), dtype_name(info.dtype),
                              info.fps > 0 ? fmt::format(", {:g} frames/s", info.fps) : ""));
    console.print(
        marked ? fmt::format("splits: {} train, {} validation, {} test", splits[0], splits[1], splits[2])
               : "splits: none marked; every sequence is used for training and testing");
    console.print(fmt::format("values: {:.4g} to {:.4g}, mean {:.4g}, deviation {:.4g} (of {}{})", s.minimum,
                              s.maximum, s.mean, s.deviation, counted(s.rows, "sequence"),
                              s.non_finite > 0 ? fmt::format("; {} not finite", s.non_finite) : ""));
    if (const auto range = other_than_unit(info.range))
        console.print(fmt::format("range: {} stand for black and white", to_string(*range)));
    else if (!info.range && (s.minimum < -0.5 || s.maximum > 1.5))
        console.print(
            "range: not known, so no SSIM or PSNR (stl import --range says what stands for black and white)");
    if (!bits.empty()) console.print(bits);
    console.print(
        fmt::format("motion: mean absolute change {:.4g} from frame to frame; {:.1f} % of the frames equal "
                    "the one before",
                    s.motion, 100 * s.still));
    if (const auto training = info.attributes.find("training_values"); training != info.attributes.end()) {
        console.print(fmt::format("training sequences, by channel: mean {}, deviation {}",
                                  (*training)["mean"].dump(), (*training)["std"].dump()));
    }
    if (const auto n = stored_normalization(info, a.file.string()); !n.empty()) {
        console.print(fmt::format("the network sees: (value - {:.4g}) / {:.4g}", fmt::join(n.mean, ", "),
                                  fmt::join(n.deviation, ", ")));
    }
    if (!info.attributes.empty()) console.print("made from: " + to_line(shortened(info.attributes)));
}

void inspect_video(const InspectArguments& a, Console& console) {
    VideoOptions options;
    options.max_pixels = a.max_pixels;
    options.external = a.reading.external;
    options.stop = interrupted;
    VideoReader reader(a.file.string(), options);
    if (!a.sheet.empty())
        throw UsageError(
            "inspect: --sheet applies only to sequence files; stl import converts a video to one");
    std::int64_t frames = 0;
    int height = 0, width = 0;
    double last = 0;
    while (const auto frame = reader.skip()) {
        if (interrupted()) throw Interrupted("inspect: interrupted");
        if (frames == 0) {
            height = frame->height;
            width = frame->width;
        }
        last = frame->time;
        console.progress({++frames, reader.info().frames, "frames", ""});
    }
    console.progress_end();
    const VideoInfo& info = reader.info();
    const Damage damage = reader.damage();
    const Timing timing = reader.timing();
    std::vector<std::string> warnings;
    if (damage.any()) warnings.push_back(to_string(damage, a.file.string()));
    if (a.json) {
        return console.print(Json{{"file", a.file.string()},
                                  {"format", info.format},
                                  {"frames", frames},
                                  {"width", width},
                                  {"height", height},
                                  {"fps", info.fps},
                                  {"uneven", timing.uneven},
                                  {"shortest_step", timing.shortest},
                                  {"longest_step", timing.longest},
                                  {"duration", info.duration},
                                  {"last_frame_at", last},
                                  {"frames_lost", damage.frames},
                                  {"ends_early", damage.ends_early},
                                  {"warnings", warnings}});
    }
    const std::string spacing = timing.uneven ? " " + to_string(timing) : "";
    console.print(fmt::format("{}: {}, {} of {}x{}, {:.4g} frames/s{}, {:.2f} s", a.file.string(),
                              info.format, counted(frames, "frame"), width, height, info.fps, spacing,
                              info.duration));
    for (const auto& warning : warnings) console.warn(warning);
}

void run_inspect(const InspectArguments& a, Console& console) {
    if (!a.sheet.empty()) {
        if (lower_case(fs::path(a.sheet).extension().string()) != ".png")
            throw UsageError("inspect: --sheet writes .png");
        refuse_existing(a.sheet, a.force);
    }
    if (is_video_input(a.file))
        inspect_video(a, console);
    else
        inspect_sequences(a, console);
}

}  // namespace

void add_inspect(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<InspectArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand("inspect", "Show what is in a sequence file or a video");
    command
        ->add_option("FILE", a.file,
                     fmt::format("FILE[:DATASET] {}, or a video", fmt::join(sequence_extensions(), " ")))
        ->required();
    begin_group(*command, "Input");
    command->add_option("--dataset", a.reading.dataset,
                        "arrays: name of the dataset in the file (same as FILE:DATASET)");
    command->add_option("--layout", a.reading.layout, "arrays: axes, e.g. TNHW or NTHWC");
    command->add_option("--rows", a.rows, "sequences to measure, evenly spread over the file")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--max-pixels", a.max_pixels, "video: refuse frames with more pixels")
        ->check(positive)
        ->capture_default_str();
    add_allow_external(*command, a.reading.external);
    begin_group(*command, "Output");
    command->add_option("--sheet", a.sheet, "FILE.png: write a contact sheet of some sequences");
    command->add_option("--sequences", a.sequences, "sequences on the contact sheet")
        ->check(positive)
        ->capture_default_str();
    command->add_option("--columns", a.columns, "frames in a row of the contact sheet")
        ->check(positive)
        ->capture_default_str();
    command->add_flag("--json", a.json, "print JSON");
    command->add_flag("--force", a.force, "replace an existing contact sheet");
    add_examples(*command, {"stl inspect clips.h5 --sheet clips.png", "stl inspect holiday.mp4"});
    command->callback([arguments, &console] { run_inspect(*arguments, console); });
}

}  // namespace stl::tools
