// stl generate: moving-glyph data sets as files.

#include <fmt/ranges.h>

#include "stl/core/clock.h"
#include "stl/core/cores.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/generate.h"
#include "stl/data/sets/moving.h"
#include "stl/formats/sequence_formats.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"

namespace stl::tools {
namespace {

const CLI::Range count(std::int64_t{1}, std::int64_t{1} << 40);

struct GenerateArguments {
    GenerateOptions options;
    DataFile output;
    std::string dtype = "uint8";
    std::optional<std::int64_t> sequences;
    std::uint64_t seed = 0;
    std::string split = "train";
    std::string protocol;
    std::optional<std::string> noise_type;
    std::optional<std::int64_t> input_frames;
    std::optional<double> sigma, mis_prob;
    bool json = false;
    bool quiet = false;
};

/// Options that only some of the data sets have.
void set_own_options(GenerateArguments& a) {
    auto& o = a.options;
    const auto& kind = moving_kind(o.dataset);
    const bool noisy = kind.noisy, colour = kind.over_cifar;
    if (!noisy && (a.noise_type || a.input_frames || a.sigma || a.mis_prob))
        throw UsageError(
            "generate: --noise-type, --input-frames, --sigma and --mis-prob apply only to noisymmnist");
    if (!colour && !o.sources.backgrounds.empty())
        throw UsageError("generate: --backgrounds applies only to mmnist_cifar");
    if ((colour || noisy) && o.moving.noise != 0)
        throw UsageError("generate: --noise applies only to mmnist and mfmnist");
    if (!noisy) return;
    auto& noise = o.moving.input_noise;
    noise.type = noise_type(a.noise_type.value_or("perceptual"), "--noise-type");
    noise.frames = a.input_frames.value_or(o.moving.frames / 2);
    noise.sigma = a.sigma.value_or(noise.sigma);
    noise.mis_prob = a.mis_prob.value_or(noise.mis_prob);
}

void run_generate(GenerateArguments arguments, Console& console) {
    auto& options = arguments.options;
    options.split = arguments.split == "test"         ? Split::test
                    : arguments.split == "validation" ? Split::validation
                                                      : Split::train;
    if (options.split == Split::test && arguments.protocol == "stream") {
        throw UsageError(
            "generate: --split test requires --protocol openstl; stream is for training and validation sets");
    }
    const bool published = options.split == Split::test || arguments.protocol == "openstl";
    options.protocol = published ? Protocol::openstl : Protocol::stream;
    options.sequences = arguments.sequences.value_or(usual_sequences(options.split));
    options.seed = arguments.seed;
    options.dtype = arguments.dtype == "float32" ? DType::f32 : DType::u8;
    if (options.threads == 0) options.threads = available_cores();
    set_own_options(arguments);
    const auto* format = format_of_name(arguments.output.path);
    if (options.compression > 0 && format != nullptr && !format->compresses) {
        throw UsageError(fmt::format("generate: --compression applies only to {}",
                                     listed(sequence_extensions(&SequenceFormat::compresses), "or")));
    }
    console.set_quiet(arguments.quiet || arguments.json);

    const auto started = Clock::now();
    auto result = generate(options, arguments.output, console, interrupted);
    const double took = seconds_since(started);
    if (arguments.json) {
        result["output"] = arguments.output.string();
        result["dtype"] = arguments.dtype;
        result["seconds"] = took;
        console.print(result);
        return;
    }
    console.info(fmt::format(
        "{}: {} sequences of {} frames of {}x{} ({}), {} {} set, protocol {}, seed {}, {:.1f} s",
        arguments.output.string(), options.sequences, options.moving.frames, options.moving.canvas,
        options.moving.canvas, arguments.dtype, result["source"].get<std::string>(), arguments.split,
        result["protocol"].get<std::string>(), options.seed, took));
}

void add_motion_options(CLI::App& command, MovingGlyphOptions& moving) {
    begin_group(command, "Motion");
    command.add_option("--frames", moving.frames, "frames per sequence")->check(count)->capture_default_str();
    command.add_option("--canvas", moving.canvas, "height and width in pixels")
        ->check(count)
        ->capture_default_str();
    command.add_option("--digits", moving.digits, "glyphs per sequence")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    command.add_option("--step", moving.step, "distance per frame, as a fraction of the free canvas width")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    command
        .add_option("--noise", moving.noise,
                    "standard deviation of Gaussian noise, as a fraction of the range from black to white")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
}

void add_noise_options(CLI::App& command, GenerateArguments& a) {
    begin_group(command, "Noise of noisymmnist's input frames");
    command.add_option("--noise-type", a.noise_type, "kind of noise (default: perceptual)")
        ->check(CLI::IsMember({"none", "perceptual", "missing", "dynamic"}));
    command
        .add_option("--input-frames", a.input_frames, "number of noisy frames (default: half of --frames)")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40));
    command
        .add_option("--sigma", a.sigma,
                    "dynamic noise: standard deviation relative to the speed (default: 0.2)")
        ->check(CLI::Range(0.0, 1000.0));
    command
        .add_option("--mis-prob", a.mis_prob,
                    "missing noise: probability that a frame is black (default: 0.2)")
        ->check(CLI::Range(0.0, 1.0));
}

}  // namespace

void add_generate(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<GenerateArguments>();
    auto& a = *arguments;
    auto& o = a.options;
    auto* command =
        app.add_subcommand("generate", "Generate sequences: Moving MNIST, Moving Fashion-MNIST and variants");
    std::vector<std::string> names;
    for (const auto& kind : moving_kinds()) names.push_back(kind.name);
    command->add_option("DATASET", o.dataset, "what to generate")->required()->check(CLI::IsMember(names));
    begin_group(*command, "Output");
    command
        ->add_option(
            "-o,--output,--out", a.output,
            "FILE[:DATASET] .h5 ([N,T,C,H,W]), or .npy ([T,N,H,W] or, in colour, [T,N,H,W,3]; 0-255)")
        ->required();
    command->add_option("--dtype", a.dtype, "uint8 or float32")
        ->check(CLI::IsMember({"uint8", "float32"}))
        ->capture_default_str();
    command
        ->add_option("--compression,--compress", o.compression,
                     fmt::format("deflate level of {} files, 0 to 9",
                                 listed(sequence_extensions(&SequenceFormat::compresses), "and")))
        ->check(CLI::Range(0, 9))
        ->capture_default_str();
    command->add_flag("--force", o.force, "replace an existing output");
    command->add_flag("--json", a.json, "print a summary as JSON");
    command->add_flag("--quiet", a.quiet, "show no progress");
    begin_group(*command, "Sequences");
    command
        ->add_option("--split", a.split,
                     "train, validation, or test (the sequences that OpenSTL's script makes)")
        ->check(CLI::IsMember({"train", "validation", "test"}))
        ->capture_default_str();
    command
        ->add_option("--protocol", a.protocol,
                     "openstl: random numbers of OpenSTL's script (default for test); stream: those that "
                     "training draws (default for train and validation)")
        ->check(CLI::IsMember({"openstl", "stream"}));
    command->add_option("--sequences", a.sequences, "number of sequences (default: 10000; validation: 1000)")
        ->check(count);
    command->add_option("--seed", a.seed, "random seed (OpenSTL's test sets: 0)")
        ->check(seed_number)
        ->capture_default_str();
    add_motion_options(*command, o.moving);
    begin_group(*command, "Input");
    command->add_option("--glyphs", o.sources.glyphs,
                        "IDX file or folder of PNGs (default: the training glyphs shipped with stl)");
    command->add_option("--backgrounds", o.sources.backgrounds,
                        "mmnist_cifar: CIFAR-10's binary files, a folder or one file (default: "
                        "datasets/cifar-10-batches-bin)");
    add_noise_options(*command, a);
    o.threads = 0;
    add_threads_option(*command, o.threads);
    add_examples(*command, {"stl generate mmnist --split test --output mmnist_test.h5",
                            "stl generate mfmnist --sequences 1000 --seed 7 --output train.npy"});
    command->callback([arguments, &console] { run_generate(*arguments, console); });
}

}  // namespace stl::tools
