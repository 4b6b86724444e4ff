// stl import: videos, folders of pictures and arrays into one file of sequences.

#include "stl/import/import.h"

#include <fmt/ranges.h>

#include <set>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/sets/stored.h"
#include "stl/formats/sequence_formats.h"
#include "stl/import/layouts/layout.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/frame_size.h"
#include "tools/stl/metric_options.h"

namespace stl::tools {
namespace {

struct ImportArguments {
    ImportOptions options;
    std::string size, fit = "stretch", split_by, range;
    bool gray = false, rgb = false;
    double train = -1, val = -1, test = -1;
    LayoutOptions layout;  ///< of --from
};

std::string split_text(const ImportReport& report) {
    if (!report.split) return "";
    return fmt::format(" ({} train, {} validation, {} test)", report.per_split[0], report.per_split[1],
                       report.per_split[2]);
}

void run_layout(const ImportArguments& a, const CLI::App& command, Console& console) {
    static const std::set<std::string> known{
        "INPUT",        "--from",        "--output",        "--length",         "--variable",
        "--first-year", "--compression", "--opencv-colors", "--allow-external", "--force"};
    for (const auto* option : command.get_options()) {
        const auto name = option->get_name();
        if (option->count() > 0 && !known.contains(name)) {
            throw UsageError(fmt::format("import: {} cannot be used with --from, which reads {} as published",
                                         name, a.layout.name));
        }
    }
    if (a.options.inputs.size() != 1) throw UsageError("import: --from reads one FOLDER");
    auto o = a.layout;
    o.folder = a.options.inputs.front();
    o.output = a.options.output.empty() ? "datasets/" + imported_file(o.name) : a.options.output.string();
    o.length = command.count("--length") > 0 ? a.options.length : 0;
    o.compression = a.options.compression;
    o.external = a.options.external;
    o.force = a.options.force;
    const ImportReport report = import_layout(o, console, interrupted);
    console.info(fmt::format("{}: {} sequences{}, {} frames in {:.1f} s", o.output.string(), report.sequences,
                             split_text(report), report.frames, report.seconds));
}

void run_import(ImportArguments a, Console& console) {
    ImportOptions& o = a.options;
    const auto* format = format_of_name(o.output.path);
    if (format == nullptr || !format->attributes || !format->streams) {
        throw UsageError(
            fmt::format("import: --output FILE{} is required",
                        fmt::join(sequence_extensions(&SequenceFormat::attributes), " or FILE")));
    }
    if (!a.size.empty()) {
        const auto size = parse_frame_size(a.size, "import: --size");
        o.width = size.width;
        o.height = size.height;
    }
    if (a.gray && a.rgb) throw UsageError("import: --gray or --rgb, not both");
    o.channels = a.gray ? 1 : a.rgb ? 3 : 0;
    o.fit = parse_fit(a.fit);
    o.split_by = a.split_by == "time"     ? SplitBy::time
                 : a.split_by == "source" ? SplitBy::source
                                          : SplitBy::usual;
    constexpr double percentile = 0.001;
    if (a.range == "percentile")
        o.range_percentile = percentile;
    else if (!a.range.empty())
        o.range = parse_range("--range", a.range);
    if (a.train >= 0) o.train = a.train;
    if (a.val >= 0) o.val = a.val;
    if (a.test >= 0) o.test = a.test;
    const ImportReport report = import_sequences(o, console, interrupted);
    console.info(fmt::format("{}: {}{} from {}, {} in {:.1f} s ({:.0f} frames/s)", o.output.string(),
                             counted(report.sequences, "sequence"), split_text(report),
                             counted(report.sources, "source"), counted(report.frames, "frame"),
                             report.seconds, static_cast<double>(report.frames) / report.seconds));
    if (o.split_scenes) console.info(counted(report.cuts, "scene cut"));
    if (report.unusable > 0) console.info(counted(report.unusable, "source") + " could not be read");
    if (!report.split) {
        console.info(
            "no splits are marked; all sequences are used for training (to mark some: --split-by time, three "
            "or more "
            "sources, or longer ones)");
    }
}

void add_layout_options(CLI::App& c, ImportArguments& a) {
    std::string names, expected = "Files that --from NAME expects in FOLDER (and where to get them):";
    for (const auto& info : layouts()) {
        names += (names.empty() ? "" : ", ") + info.name;
        expected += fmt::format("\n  {}: {} ({})", info.name, info.files, source_of(info));
    }
    auto* from =
        c.add_option("--from", a.layout.name,
                     "INPUT is the folder of a published data set as its authors distribute it: " + names);
    c.add_option("--variable", a.layout.variable, "weather: t2m (default), r, uv10, u10, v10, tcc or tp")
        ->needs(from);
    c.add_option("--first-year", a.layout.first_year, "weather: first year of training (default: 2010)")
        ->needs(from)
        ->check(CLI::Range(1900, 2015));
    c.add_flag("--opencv-colors", a.layout.opencv_colors,
               "colours in OpenSTL's order (blue first), for its checkpoints")
        ->needs(from);
    c.footer(expected);
}

}  // namespace

void add_import(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<ImportArguments>();
    auto& a = *arguments;
    auto& o = a.options;
    auto* c = app.add_subcommand("import", "Make sequences to train on from videos, pictures and arrays");
    c->add_option("INPUT", o.inputs,
                  fmt::format("videos, pictures, folders (searched recursively), patterns (\"clips/*.mp4\"), "
                              "or arrays: FILE[:DATASET] {}",
                              fmt::join(sequence_extensions(), " ")))
        ->required();
    begin_group(*c, "Output");
    c->add_option("-o,--output,--out", o.output,
                  fmt::format("{} file to write (with --from, default: datasets/NAME/NAME.h5)",
                              listed(sequence_extensions(&SequenceFormat::attributes), "or")));
    c->add_option("--compression,--compress", o.compression, "deflate level, 0 to 9")
        ->check(CLI::Range(0, 9))
        ->capture_default_str();
    c->add_option("--range", a.range,
                  "values that stand for black and white: LOW,HIGH in stored units, or percentile (the 0.1th "
                  "and 99.9th of all values) (default: the sources' range)");
    c->add_flag(
        "--normalize", o.normalize,
        "store mean and standard deviation of the training sequences, so that training normalises by them");
    c->add_flag("--force", o.force, "replace an existing output");
    begin_group(*c, "Input");
    c->add_option("--fps", o.fps, "frames per second to read (default: every frame as stored)")
        ->check(positive);
    c->add_option("--folder-fps", o.folder_fps,
                  "frames per second of folders of pictures and multi-page TIFFs (default: what a TIFF says, "
                  "else 25)")
        ->check(positive);
    c->add_option("--start", o.start, "seconds to skip at the beginning of each source (default: 0)")
        ->check(not_negative);
    c->add_option("--end", o.end, "second of each source to stop at (default: its end)")->check(positive);
    c->add_option(
         "--stream", o.stream,
         "video: index of the stream, as ffprobe shows it (default: the one FFmpeg considers best); TIFF: "
         "index of the film among its channels and slices (default: the first)")
        ->check(not_negative);
    c->add_option("--max-pixels", o.max_pixels, "refuse frames with more pixels")
        ->check(positive)
        ->capture_default_str();
    c->add_option("--dataset", o.dataset,
                  "arrays: name of the dataset in all input files (same as FILE:DATASET)");
    c->add_option("--layout", o.layout, "arrays: axes, e.g. TNHW or NTHWC");
    add_allow_external(*c, o.external);
    begin_group(*c, "Frames");
    c->add_option("--size", a.size, "WIDTHxHEIGHT in pixels (default: the first source's)");
    c->add_option("--fit", a.fit, "how to fit frames whose aspect ratio differs: stretch, crop or pad")
        ->check(CLI::IsMember({"stretch", "crop", "pad"}))
        ->capture_default_str();
    c->add_flag("--gray", a.gray, "one channel");
    c->add_flag("--rgb", a.rgb, "three channels (default for videos and pictures)");
    begin_group(*c, "Sequences");
    c->add_option("--length", o.length, "frames per sequence")->check(positive)->capture_default_str();
    c->add_option("--stride", o.stride,
                  "frames from the start of one sequence to the start of the next (default: --length)")
        ->check(positive);
    c->add_flag("--split-scenes", o.split_scenes, "let no sequence cross a scene cut");
    c->add_option("--scene-threshold", o.scene_threshold,
                  "with --split-scenes: smallest change of the picture that counts as a cut, 0.01 to 1")
        ->check(CLI::Range(0.01, 1.0))
        ->capture_default_str();
    begin_group(*c, "Splits");
    c->add_option("--train", a.train,
                  "share of the sources (with --split-by time: of each source) for training, 0 to 1 "
                  "(default: the rest)")
        ->check(CLI::Range(0.0, 1.0));
    c->add_option(
         "--val", a.val,
         "share for validation (default: half of what --train leaves, or all of it with --test; 0.1 if no "
         "share is given; else 0)")
        ->check(CLI::Range(0.0, 1.0));
    c->add_option("--test", a.test, "share for testing (default: by the same rule as --val)")
        ->check(CLI::Range(0.0, 1.0));
    c->add_option(
         "--split-by", a.split_by,
         "source: every source goes to one split; time: the beginning of each source is for "
         "training, its end for validation and test (default: time if there are fewer than three sources "
         "and no shares are given, else source)")
        ->check(CLI::IsMember({"source", "time"}));
    c->add_option("--seed", o.seed, "random seed for assigning sources to splits")->capture_default_str();
    begin_group(*c, "Published data sets");
    add_layout_options(*c, a);
    c->add_option("--threads", o.threads, "threads of the decoder (default: all cores)")
        ->group("Compute")
        ->check(CLI::Range(0, 64));
    c->callback([arguments, c, &console] {
        if (c->count("--from") > 0) return run_layout(*arguments, *c, console);
        run_import(*arguments, console);
    });
}

}  // namespace stl::tools
