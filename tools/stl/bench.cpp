// stl bench: how fast this machine runs the networks, the data and the metrics.

#include <algorithm>

#include "stl/bench/peaks.h"
#include "stl/bench/record.h"
#include "stl/bench/work.h"
#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/data/registry.h"
#include "stl/gpu/plugin.h"
#include "stl/models/registry.h"
#include "stl/runtime/device.h"
#include "tools/stl/checks.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/ranks.h"

namespace stl::tools {
namespace {

struct BenchArguments {
    std::string experiment;
    std::vector<std::string> settings;
    std::string work = "infer";
    std::vector<std::string> translators;
    std::int64_t batch = 0;
    std::string device = "auto";
    std::optional<Precision> precision;
    int threads = 0;
    int warmup = 2;
    int repeats = 10;
    std::vector<std::string> compare;
    std::string profile;
    std::vector<std::int64_t> size;
    std::int64_t frames = 0;
    bool checkpoint_activations = false;
    bool force = false;
    bool json = false;
    std::shared_ptr<Tuner> tuner;
    RankOptions ranks;
};

struct Row {
    std::string translator;
    BenchCase made;
    BenchTiming timing;
};

/// What all rows share.
struct Session {
    BenchArguments arguments;
    const BenchWork* work = nullptr;
    BenchOptions options;
    Peaks peaks;
    std::vector<NamedTrace> traces;
};

std::vector<std::string> wanted_translators(const Session& session) {
    auto names = session.arguments.translators;
    if (!session.work->network) {
        // The same for every network, so that a name has no meaning; but it must be one.
        if (names == std::vector<std::string>{"all"}) names.clear();
        for (const auto& name : names) find_translator(name, "--translator");
        return {""};
    }
    if (names.empty() && session.options.experiment) return {session.options.model.translator};
    if (names.empty() || names == std::vector<std::string>{"all"}) names = shown_translators();
    for (auto& name : names) name = find_translator(name, "--translator").name;
    return names;
}

std::vector<Path> wanted_paths(const Session& session) {
    const auto& known = session.work->paths;
    std::vector<Path> paths;
    for (const auto& name : session.arguments.compare) {
        const auto path = std::ranges::find(known, name, name_of<Path>);
        if (path == known.end()) {
            std::vector<std::string> names;
            for (const auto one : known) names.push_back(name_of(one));
            throw UsageError(fmt::format("--compare: '{}' has no path '{}' (it has: {})", session.work->name,
                                         name, fmt::join(names, ", ")));
        }
        paths.push_back(*path);
    }
    if (paths.empty()) {
        const bool plain_alone = known.size() > 1 && !has_fast_path(session.options, *session.work);
        paths.push_back(plain_alone ? Path::plain : known.back());
    }
    for (const auto path : paths) require_path(session.options, *session.work, path);
    return paths;
}

void read_experiment(Session& session) {
    auto& options = session.options;
    options.model = benchmark_model("gsta");
    options.batch = 1;
    if (!session.arguments.experiment.empty()) {
        std::vector<Setting> settings;
        for (const auto& text : session.arguments.settings) settings.push_back(parse_setting(text));
        options.experiment = load_experiment(session.arguments.experiment, settings);
        options.model = options.experiment->model_for(dataset_shape(options.experiment->dataset));
        options.batch = options.experiment->train.batch_size;
        options.precision = options.experiment->train.precision;
    }
    if (session.arguments.batch > 0) options.batch = session.arguments.batch;
    if (session.arguments.precision) options.precision = *session.arguments.precision;
    options.threads = session.arguments.threads;
    options.tuner = session.arguments.tuner;
    options.checkpoint_activations = session.arguments.checkpoint_activations;
    auto& model = options.model;
    if (session.arguments.frames > 0) model.frames = session.arguments.frames;
    if (session.arguments.size.size() > 2) throw UsageError("--size: expected H,W or one number for both");
    if (!session.arguments.size.empty()) {
        model.height = session.arguments.size.front();
        model.width = session.arguments.size.back();
    }
}

Json to_json(const Session& session, const Row& row) {
    const auto batch = static_cast<double>(session.options.batch);
    return {{"translator", row.translator.empty() ? Json(nullptr) : Json(row.translator)},
            {"work", session.work->name},
            {"device", session.options.device.str()},
            {"precision", name_of(session.options.precision)},
            {"path", name_of(row.made.path)},
            {"batch", session.options.batch},
            {"seq_per_s", batch / row.timing.median},
            {"best_seq_per_s", batch / row.timing.best},
            {"peak_memory", row.timing.peak_memory},
            {"flops_per_s", 2.0 * row.made.macs / row.timing.best},
            {"bytes_per_s", row.made.bytes / row.timing.best},
            {"peak_flops_per_s", session.peaks.flops},
            {"peak_bytes_per_s", session.peaks.bytes},
            {"threads", torch::get_num_threads()}};
}

/// "118.2 GFLOP/s (87 %)", "1.2 GB/s (6 %)" or "".
std::string achieved(const Session& session, const Row& row) {
    constexpr double giga = 1e9, percent = 100;
    if (row.made.macs > 0) {
        const double flops = 2.0 * row.made.macs / row.timing.best;
        return fmt::format("{:.1f} GFLOP/s ({:.0f} %)", flops / giga, percent * flops / session.peaks.flops);
    }
    if (row.made.bytes > 0) {
        const double bytes = row.made.bytes / row.timing.best;
        return fmt::format("{:.2f} GB/s ({:.0f} %)", bytes / giga, percent * bytes / session.peaks.bytes);
    }
    return "";
}

void print_rows(const Session& session, const std::vector<Row>& rows, const Console& console) {
    for (const auto& row : rows) {
        if (session.arguments.json) {
            console.print(to_json(session, row).dump());
            continue;
        }
        const auto batch = static_cast<double>(session.options.batch);
        std::string ratio;
        if (&row != &rows.front())
            ratio = fmt::format("{:.2f}x", rows.front().timing.median / row.timing.median);
        console.print(fmt::format("{:<11} {:<6} {:>10.3f} {:>10.3f} {:>7} {:>10}  {}",
                                  row.translator.empty() ? session.work->name : row.translator,
                                  name_of(row.made.path), batch / row.timing.median, batch / row.timing.best,
                                  ratio, bytes_text(static_cast<std::uint64_t>(row.timing.peak_memory)),
                                  achieved(session, row)));
    }
    console.flush();  // even if the next one crashes
}

void print_profile(const Session& session, const NamedTrace& named, const Console& console) {
    constexpr double milli = 1e3, giga = 1e9, percent = 100;
    const auto layers = layer_times(named.trace);
    double total = 0;
    for (const auto& layer : layers) total += layer.seconds;
    console.print(named.name + ", one pass:");
    for (const auto& layer : layers) {
        const double flops = layer.seconds > 0 ? 2.0 * static_cast<double>(layer.macs) / layer.seconds : 0;
        std::string rate;
        if (layer.macs > 0)
            rate = fmt::format("{:7.1f} GFLOP/s ({:.0f} %)", flops / giga,
                               percent * flops / session.peaks.flops);
        console.print(fmt::format("  {:<44} {:>5} {:>10.2f} ms {:>5.1f} %  {}", layer.name, layer.calls,
                                  layer.seconds * milli, percent * layer.seconds / total, rate));
    }
}

void refuse_to_go_on() {
    if (interrupted()) throw Interrupted("stopped");
}

/// Medians of a step, in seconds, of the slowest rank.
struct RankTimes {
    double alone = 0;    ///< of rank 0 while the others wait
    double apart = 0;    ///< of all at once, each for itself
    double average = 0;  ///< of all at once, with averaged gradients
};

RankTimes time_ranks(Session& session, Group& group) {
    auto options = session.options;
    const auto& a = session.arguments;
    const auto each = session.work->make(options, Path::fast);
    options.group = &group;
    const auto all = session.work->make(options, Path::fast);
    RankTimes times;
    if (group.leads())
        times.alone = time_cases({each}, options.device, a.warmup, a.repeats, [] {}).front().median;
    const auto together = time_cases({each, all}, options.device, a.warmup, a.repeats, [&] {
        if (group.any(interrupted())) throw Interrupted("stopped");
    });
    for (const auto& one : group.gather(std::vector{times.alone, together[0].median, together[1].median})) {
        times.alone = std::max(times.alone, one[0]);
        times.apart = std::max(times.apart, one[1]);
        times.average = std::max(times.average, one[2]);
    }
    return times;
}

void refuse_for_ranks(const Session& session) {
    const auto& a = session.arguments;
    if (session.work->name != "train" || !a.compare.empty() || !a.profile.empty())
        throw UsageError(
            "bench: several ranks are timed with --work train alone, without --compare and --profile");
    if (!session.options.device.is_cpu())
        fail("bench: several ranks train on CPUs only, so far; give --device cpu");
}

/// --work train with several ranks: what they gain, and what averaging costs.
void bench_ranks(Session& session, const std::vector<std::string>& names, Group& group, Console& console) {
    const auto& a = session.arguments;
    if (!a.json) {
        console.print(
            fmt::format("train on {} ranks, each on {} with {}, {}, {} a rank and step", group.size(),
                        session.options.device.str(), counted(torch::get_num_threads(), "thread"),
                        name_of(session.options.precision), counted(session.options.batch, "sequence")));
        console.print(fmt::format("{:<11} {:>10} {:>13} {:>11} {:>10}", "", "seq/s", "1 rank seq/s",
                                  "efficiency", "averaging"));
    }
    constexpr double percent = 100;
    for (const auto& name : names) {
        session.options.model.translator = name;
        const auto times = time_ranks(session, group);
        const auto batch = static_cast<double>(session.options.batch);
        const double rate = batch * group.size() / times.average, one = batch / times.alone;
        const double efficiency = times.alone / times.average;
        const double averaging = std::max(0.0, 1 - times.apart / times.average);
        if (a.json) {
            console.print(Json{
                {"translator", name},
                {"work", "train"},
                {"device", session.options.device.str()},
                {"precision", name_of(session.options.precision)},
                {"ranks", group.size()},
                {"batch_per_rank", session.options.batch},
                {"threads", torch::get_num_threads()},
                {"seq_per_s", rate},
                {"one_rank_seq_per_s", one},
                {"efficiency", efficiency},
                {"averaging_share",
                 averaging}}.dump());
        } else {
            console.print(fmt::format("{:<11} {:>10.3f} {:>13.3f} {:>9.0f} % {:>8.0f} %", name, rate, one,
                                      percent * efficiency, percent * averaging));
        }
        console.flush();
    }
}

void bench_translator(Session& session, const std::string& translator, const Console& console) {
    if (!translator.empty()) session.options.model.translator = translator;
    std::vector<BenchCase> cases;
    for (const auto path : wanted_paths(session)) cases.push_back(session.work->make(session.options, path));
    const auto timings = time_cases(cases, session.options.device, session.arguments.warmup,
                                    session.arguments.repeats, refuse_to_go_on);
    std::vector<Row> rows;
    for (std::size_t i = 0; i < cases.size(); ++i) rows.push_back({translator, cases[i], timings[i]});
    print_rows(session, rows, console);
    if (session.arguments.profile.empty()) return;
    for (const auto& made : cases) {
        if (!made.profile) continue;
        auto& named = session.traces.emplace_back(NamedTrace{translator + " " + name_of(made.path), {}});
        made.profile(named.trace);
        if (!session.arguments.json) print_profile(session, named, console);
    }
}

/// One after the other: what stops one, a graph that cannot be captured say, does not stop the next.
void bench_translators(Session& session, const std::vector<std::string>& names, Console& console) {
    if (names.size() == 1) return bench_translator(session, names.front(), console);
    std::vector<std::string> failed;
    for (const auto& name : names) {
        try {
            bench_translator(session, name, console);
        } catch (const Interrupted&) {
            throw;
        } catch (const std::exception& error) {
            console.error(name + ": " + first_line(error.what()));
            failed.push_back(name);
        }
    }
    if (!failed.empty()) fail("could not be timed: {}", fmt::join(failed, ", "));
}

void run_bench(const BenchArguments& arguments, Group* group, Console& console) {
    Session session;
    session.arguments = arguments;
    session.work = &find_bench_work(arguments.work);
    std::vector<std::string> names;
    const auto prepare = [&] {
        if (!arguments.profile.empty()) refuse_existing(arguments.profile, arguments.force);
        set_threads(arguments.threads);
        session.options.device = open_device(arguments.device, console);
        // As the trainer has it.
        if (session.options.device.is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
        read_experiment(session);
        names = wanted_translators(session);
        wanted_paths(session);
        if (group != nullptr) refuse_for_ranks(session);
    };
    together(group, prepare);
    if (group != nullptr) return bench_ranks(session, names, *group, console);
    session.peaks = measure_peaks(session.options.device, session.options.precision);
    if (!arguments.json) {
        constexpr double giga = 1e9;
        console.print(
            fmt::format("{} on {}, {}, batch {}, {} threads; peaks here: matrix product {:.1f} GFLOP/s, "
                        "copy {:.1f} GB/s",
                        session.work->name, session.options.device.str(), name_of(session.options.precision),
                        session.options.batch, torch::get_num_threads(), session.peaks.flops / giga,
                        session.peaks.bytes / giga));
        console.print(fmt::format("{:<11} {:<6} {:>10} {:>10} {:>7} {:>10}  {}", "", "path", "seq/s", "best",
                                  "ratio", "memory", "of the peak (best)"));
    }
    bench_translators(session, names, console);
    if (!arguments.profile.empty())
        write_json(arguments.profile, chrome_trace(session.traces), arguments.force);
}

std::string work_help() {
    std::string help = "what to time:";
    for (const auto& work : bench_works()) help += fmt::format("\n  {}: {}", work.name, work.help);
    return help;
}

}  // namespace

void add_bench(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<BenchArguments>();
    auto* command = app.add_subcommand("bench", "Time networks, data and metrics on this machine");
    auto* experiment =
        command->add_option("EXPERIMENT", arguments->experiment,
                            "experiment file (default: the sizes of the Moving MNIST benchmark)");
    begin_group(*command, "Work");
    std::vector<std::string> works;
    for (const auto& work : bench_works()) works.push_back(work.name);
    command->add_option("--work", arguments->work, work_help())
        ->check(CLI::IsMember(works))
        ->capture_default_str();
    command->add_option("--compare", arguments->compare, "implementations to time in turn, e.g. plain,fast")
        ->delimiter(',');
    command->add_option("--warmup", arguments->warmup, "untimed repetitions before the timed ones")
        ->capture_default_str()
        ->check(not_negative);
    command->add_option("--repeats", arguments->repeats, "timed repetitions")
        ->capture_default_str()
        ->check(positive);
    begin_group(*command, "Model (default: the experiment's)");
    command
        ->add_option("--set", arguments->settings, "KEY=VALUE: override a key of the experiment (repeatable)")
        ->allow_extra_args(false)
        ->needs(experiment);
    command
        ->add_option("--translator", arguments->translators,
                     "translators to time, separated by commas, or all")
        ->delimiter(',');
    command
        ->add_option("--size", arguments->size,
                     "frame size in pixels: H,W (height first), or one number for both")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(positive);
    command->add_option("--frames", arguments->frames, "number of input frames")->check(positive);
    begin_group(*command, "Compute");
    command
        ->add_option("--batch", arguments->batch,
                     "sequences per batch, and rank (default: the experiment's, or 1)")
        ->check(positive);
    add_device_option(*command, arguments->device);
    add_member_option<Precision>(*command, "--precision", arguments->precision,
                                 "fp32 or bf16; on a GPU also tf32 and, for inference, fp16 (default: the "
                                 "experiment's, or fp32)");
    add_threads_option(*command, arguments->threads);
    add_tune_option(*command, arguments->tuner);
    add_rank_options(*command, arguments->ranks);
    command->add_flag(
        "--checkpoint-activations", arguments->checkpoint_activations,
        "with --work train: recompute activations in the backward pass instead of storing them");
    begin_group(*command, "Output");
    command->add_option("--profile", arguments->profile,
                        "FILE.json: write a Chrome trace of where the time goes, and print a table");
    command->add_flag("--force", arguments->force, "replace an existing profile");
    command->add_flag("--json", arguments->json, "print one JSON object per line");
    add_examples(*command, {"stl bench --translator all --compare plain,fast",
                            "stl bench --work train --batch 4 --translator moganet",
                            "stl bench experiments/mmnist/gsta.json --profile trace.json",
                            "stl bench --work train --translator gsta --devices 2"});
    command->callback([arguments, &console] {
        with_ranks(arguments->ranks, console, [&](Group* group) { run_bench(*arguments, group, console); });
    });
}

}  // namespace stl::tools
