// stl evaluate: how good a trained network is, beside predictors that learned nothing.

#include "stl/eval/evaluate.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/eval/record.h"
#include "stl/eval/test_set.h"
#include "stl/eval/trivial.h"
#include "stl/formats/sequence_formats.h"
#include "stl/runtime/device.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/metric_options.h"
#include "tools/stl/ranks.h"
#include "tools/stl/run_extras.h"

namespace stl::tools {
namespace {

struct EvaluateArguments {
    PredictorOptions predictor;
    DataFile data;
    std::string layout;
    ExternalFiles external;
    std::int64_t batch = 16;
    std::int64_t frames = 0;
    bool json = false;
    bool record = false;
    bool force = false;
    std::string results = "experiments/results";
    MetricArguments metrics;
    RankOptions ranks;
};

/// "16.5 G", "46.8 M", "23.0 k"
std::string count_text(std::int64_t count) {
    const auto value = static_cast<double>(count);
    if (value >= 1e9) return fmt::format("{:.3g} G", value / 1e9);
    return value >= 1e6 ? fmt::format("{:.3g} M", value / 1e6) : fmt::format("{:.3g} k", value / 1e3);
}

void print_published(const Json& row, Console& console) {
    if (!row.is_object()) return;
    std::string line = fmt::format("published after {} epochs:", row["epochs"].get<std::int64_t>());
    for (const auto& metric : metric_list()) {
        if (row.contains(metric.key)) line += fmt::format("  {} {}", metric.key, row[metric.key].dump());
    }
    console.print(line);
}

void print_evaluation(const Json& document, const Evaluation& e, const Predictor& p, Console& console) {
    // A run of less than an epoch, or a foreign file, has no number to show.
    const auto trained = p.epoch() > 0 ? ", trained for " + counted(p.epoch(), "epoch") : std::string();
    console.print(fmt::format("{}: {}, {} parameters, {} multiply-adds{}", p.checkpoint().string(),
                              p.model().translator, count_text(p.parameters()),
                              count_text(document["macs"].get<std::int64_t>()), trained));
    console.print(fmt::format("{}; {} frames in, {} out; {} on {}", e.test_set, e.input_frames,
                              e.output_frames, fmt::format("{:.1f} sequences/s", e.sequences_per_second),
                              p.device().str()));
    std::vector<std::pair<std::string, MetricValues>> rows{{p.model().translator, e.metrics}};
    for (std::size_t i = 0; i < e.trivial.size(); ++i) {
        rows.emplace_back(trivial_predictors()[i].help, e.trivial[i].second);
    }
    for (const auto& line : metric_table(rows, e.metric_options)) console.print(line);
    print_published(document["published"], console);
}

/// A network that a trivial predictor equals has learned nothing of use.
void warn_of_baselines(const Evaluation& e, Console& console) {
    const auto& metric = leading_metric();
    const auto ours = e.metrics[metric.key];
    for (std::size_t i = 0; i < e.trivial.size(); ++i) {
        const auto trivial = e.trivial[i].second[metric.key];
        if (is_better(metric, ours, trivial)) continue;
        console.warn(fmt::format(
            "the network is no better than the baseline '{}': {} {:.{}f}, compared with {:.{}f}",
            trivial_predictors()[i].help, metric.title, ours, metric.digits, trivial, metric.digits));
    }
}

/// The record also has the weights with the best validation loss.
Json with_best(const EvaluateArguments& a, const Json& document, const Predictor& predictor,
               const Dataset& data, const EvaluateOptions& options, Group* group, Console& console) {
    std::optional<Evaluation> best;
    std::int64_t best_epoch = 0;
    if (fs::exists(predictor.run()->checkpoint("best"))) {
        auto best_options = a.predictor;
        best_options.weights = "best";
        Predictor best_predictor(best_options, console);
        auto pass = options;
        pass.trivial = false;
        best = evaluate(best_predictor, data, pass, console, interrupted, group);
        best_epoch = best_predictor.epoch();
    }
    return record_document(document, predictor, data.files(), best, best_epoch);
}

/// A run may be in a read-only folder; the results are printed all the same.
void keep_in_run(const RunFolder& run, const Json& document, Console& console) {
    if (::access(run.path().c_str(), W_OK) != 0) {
        const char* reason = std::strerror(errno);
        console.warn(fmt::format("{}: not written ({})", run.evaluation_file().string(), reason));
        return;
    }
    write_json(run.evaluation_file(), document);
    write_run_report(run.path(), console);
}

/// What is evaluated, and on what.
struct Evaluated {
    std::optional<Predictor> predictor;
    fs::path record;
    std::unique_ptr<Dataset> data;
};

void open(EvaluateArguments& a, Evaluated& opened, Console& console) {
    if (a.record && a.predictor.weights != "last") {
        throw UsageError("--record evaluates both the last and the best weights; leave out --weights");
    }
    if (!a.data.empty()) take_hints(a.predictor, a.data, {.layout = a.layout, .external = a.external});
    set_threads(a.predictor.threads);
    const auto& predictor = opened.predictor.emplace(a.predictor, console);
    if (a.record) {
        opened.record = record_file(a.results, predictor);
        refuse_existing(opened.record, a.force);
        require_finished(predictor);  // before an evaluation that may take long
    }
    const auto set = test_set_options({a.data, a.layout, a.frames, a.external}, predictor);
    opened.data = open_test_set(set);
    const auto& data = opened.data;
    if (const auto what = shortage(set.where + ".test_sequences", set.test_sequences, *data); !what.empty())
        console.warn(what);
    for (const auto& line : changed_files(*data, predictor)) console.warn(line);
    if (const auto line = trained_on(*data, predictor); !line.empty()) console.warn(line);
    for (const auto& line : data->warnings()) console.warn(line);
}

void run_evaluate(EvaluateArguments a, Group* group, Console& console) {
    if (group != nullptr) a.predictor.tuner.reset();  // ranks may not choose differently
    Evaluated opened;
    if (group != nullptr) group->note("opening what is evaluated", /*slow=*/true);
    together(group, [&] { open(a, opened, console); });
    auto& [network, record, data] = opened;
    auto& predictor = *network;
    EvaluateOptions options;
    options.metrics = a.metrics.options(data->range() ? data->range() : predictor.trained_range());
    options.batch_size = a.batch;
    const auto evaluation = evaluate(predictor, *data, options, console, interrupted, group);
    const bool leads = group == nullptr || group->leads();
    warn_of_values(evaluation.metrics, console);
    warn_of_baselines(evaluation, console);
    const auto document = evaluation_document(predictor, a.predictor.weights, evaluation);
    if (a.json) {
        console.print(document);
    } else {
        print_evaluation(document, evaluation, predictor, console);
    }
    if (predictor.run() != nullptr && leads) keep_in_run(*predictor.run(), document, console);
    if (!a.record) return;
    const auto whole = with_best(a, document, predictor, *data, options, group, console);
    if (leads) write_json(record, whole, a.force);
    console.info("recorded in " + record.string());
}

}  // namespace

void add_evaluate(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<EvaluateArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand("evaluate", "Evaluate a trained network on a test set");
    command->add_option("SOURCE", a.predictor.source, "run folder or checkpoint (FILE or FILE:KEY)")
        ->required();
    begin_group(*command, "Input");
    command
        ->add_option("--data", a.data,
                     fmt::format("test set, FILE[:DATASET] {} (default: the experiment's test set)",
                                 fmt::join(sequence_extensions(), " ")))
        ->check(not_empty);
    command->add_option("--layout", a.layout, "axes of the --data file, e.g. TNHW or NTHWC")
        ->check(not_empty);
    command
        ->add_option(
            "--frames", a.frames,
            "frames to predict and evaluate (default: the model's; further ones are predicted from its own "
            "predictions)")
        ->check(positive);
    add_allow_external(*command, a.external);
    add_checkpoint_options(*command, a.predictor.weights, a.predictor.model_json);
    a.metrics.add_to(*command, /*scales=*/false);
    begin_group(*command, "Output");
    command->add_flag("--json", a.json, "print JSON");
    command->add_flag("--record", a.record,
                      "also write the results to experiments/results/<dataset>/<run>.json, for stl report");
    command->add_option("--results", a.results, "folder for the files that --record writes")
        ->capture_default_str();
    command->add_flag("--force", a.force, "replace an existing record");
    begin_group(*command, "Compute");
    command->add_option("--batch", a.batch, "sequences per batch")->check(positive)->capture_default_str();
    add_compute_options(*command, a.predictor);
    add_rank_options(*command, a.ranks);
    add_member_option<Path>(*command, "--path", a.predictor.path,
                            "implementation: fast, or plain (LibTorch's operators, layer by layer)")
        ->group("Compute")
        ->default_str(name_of(a.predictor.path));
    add_examples(*command, {"stl evaluate runs/mmnist-gsta",
                            "stl evaluate model.pth --model experiments/mmnist/gsta.json --data test.h5",
                            "mpirun -np 4 stl evaluate runs/mmnist-gsta"});
    command->callback([arguments, &console] {
        with_ranks(arguments->ranks, console,
                   [&](Group* group) { run_evaluate(*arguments, group, console); });
    });
}

}  // namespace stl::tools
