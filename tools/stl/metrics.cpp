// stl metrics: compares any two files of sequences.

#include "stl/metrics/metrics.h"

#include <fmt/ranges.h>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/sequence_formats.h"
#include "stl/runtime/device.h"
#include "tools/stl/checks.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/metric_options.h"

namespace stl::tools {
namespace {

struct CompareArguments {
    DataFile prediction, truth;
    std::string layout;
    ExternalFiles external;
    std::int64_t skip = 0;
    int threads = 0;
    bool json = false;
    MetricArguments metrics;
};

/// Values of both files that are held at a time.
constexpr std::int64_t values_at_once = std::int64_t{1} << 23;

void check_shapes(const CompareArguments& a, const SequenceInfo& prediction, const SequenceInfo& truth) {
    auto expected = prediction.shape;
    expected.frames += a.skip;
    if (prediction.count == truth.count && truth.shape == expected) return;
    const auto hint = truth.count == prediction.count && truth.shape.frames > expected.frames
                          ? " (--skip N leaves out the truth's first N frames)"
                          : "";
    fail("{}: {} of {}, but {} has {} of {}{}{}", a.prediction.string(),
         counted(prediction.count, "sequence"), to_string(prediction.shape), a.truth.string(), truth.count,
         to_string(truth.shape), a.skip > 0 ? fmt::format(", {} skipped", a.skip) : "", hint);
}

torch::Tensor read_rows(const SequenceReader& file, std::int64_t first, std::int64_t count) {
    const auto& s = file.info().shape;
    auto rows = torch::empty({count, s.frames, s.channels, s.height, s.width});
    file.read(first, count, {rows.mutable_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
    return rows;
}

void run_metrics(const CompareArguments& a, Console& console) {
    set_threads(a.threads);
    const ReadOptions reading{.layout = a.layout, .external = a.external};
    const auto prediction = open_sequences(a.prediction, reading);
    const auto truth = open_sequences(a.truth, reading);
    for (const auto* file : {prediction.get(), truth.get()}) {
        for (const auto& line : file->info().warnings) console.warn(line);
    }
    check_shapes(a, prediction->info(), truth->info());
    const auto& range = truth->info().range;
    const auto options = a.metrics.options(range ? range : prediction->info().range);
    MetricAccumulator metrics(options);
    const auto count = truth->info().count;
    const auto at_once = std::max<std::int64_t>(1, values_at_once / truth->info().shape.elements());
    for (std::int64_t first = 0; first < count; first += at_once) {
        if (interrupted()) throw Interrupted("interrupted");
        const auto n = std::min(at_once, count - first);
        metrics.add(read_rows(*prediction, first, n), read_rows(*truth, first, n).slice(1, a.skip));
        console.progress({first + n, count, "comparing", ""});
    }
    console.progress_end();
    const auto values = metrics.value();
    warn_of_values(values, console);
    if (a.json) {
        console.print(values.to_json(options));
        return;
    }
    console.print(
        fmt::format("{} of {}", counted(values.sequences, "sequence"), to_string(prediction->info().shape)));
    for (const auto& line : metric_table({{"all", values}}, options)) console.print(line);
}

}  // namespace

void add_metrics(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<CompareArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand("metrics", "Compare predicted sequences with the true ones");
    command
        ->add_option(
            "PREDICTION", a.prediction,
            fmt::format("predicted sequences, FILE[:DATASET] {}", fmt::join(sequence_extensions(), " ")))
        ->required();
    command
        ->add_option("TRUTH", a.truth,
                     "true sequences, FILE[:DATASET] with the same number of sequences and frames")
        ->required();
    begin_group(*command, "Input");
    command->add_option("--skip", a.skip, "frames to skip at the beginning of each sequence of TRUTH")
        ->check(not_negative)
        ->capture_default_str();
    command->add_option("--layout", a.layout, "axes of both files, e.g. TNHW or NTHWC");
    add_allow_external(*command, a.external);
    a.metrics.add_to(*command, /*scales=*/true);
    command->add_flag("--json", a.json, "print JSON")->group("Output");
    add_threads_option(*command, a.threads);
    add_examples(*command, {"stl metrics prediction.h5 truth.h5",
                            "stl metrics prediction.npy truth.npy --skip 10 --json"});
    command->callback([arguments, &console] { run_metrics(*arguments, console); });
}

}  // namespace stl::tools
