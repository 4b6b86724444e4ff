// stl train: from an experiment file to a run folder.

#include "stl/train/trainer.h"

#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/eval/published.h"
#include "stl/run/run_folder.h"
#include "stl/train/repeat.h"
#include "tools/stl/checks.h"
#include "tools/stl/clip_experiment.h"
#include "tools/stl/command.h"
#include "tools/stl/compute_options.h"
#include "tools/stl/crash.h"
#include "tools/stl/ranks.h"
#include "tools/stl/run_extras.h"

namespace stl::tools {
namespace {

struct TrainArguments {
    std::string experiment;
    DataFile data;
    std::string scale, layout;
    std::vector<std::string> settings;
    std::vector<Setting> own;  ///< of the keys that have an option
    std::string run;
    bool resume = false;
    bool force = false;
    std::string device = "auto";
    double max_minutes = 0;
    std::int64_t seeds = 1;
    std::string repeat;  ///< a run
    bool detect_anomaly = false;
    ExternalFiles external;
    RankOptions ranks;
};

/// Whether a repetition gave what it repeats.
void tell_losses(const TrainRequest& request, Console& console) {
    const auto before = RunFolder::open(request.repeats), now = RunFolder::open(request.run);
    const auto other = first_other_loss(before, now);
    console.info(other ? fmt::format("step {} is the first whose loss is another than in {}", *other,
                                     before.path().string())
                       : fmt::format("the same losses as in {}, bit for bit", before.path().string()));
}

/// False: its time is up.
bool run_one(const TrainArguments& arguments, TrainRequest request, Console& console) {
    const auto how = resuming_line(console.arguments());
    request.force = arguments.force;
    request.detect_anomaly = arguments.detect_anomaly;
    if (request.device == "auto") request.device = arguments.device;
    request.command = command_line(console.arguments());

    const auto outcome = [&] {
        std::optional<MarksRunOnCrash> marks;
        if (request.group == nullptr || request.group->leads()) marks.emplace(request.run / "run.json");
        return train(request, console, interrupted);
    }();
    // The other ranks wait for this one, and say nothing.
    const bool leads = request.group == nullptr || request.group->leads();
    if (request.group != nullptr) request.group->note("samples and report", /*slow=*/true);
    if (!outcome.interrupted && leads) {
        write_samples(request.run, request.experiment, outcome.steps, request.device, console);
        write_run_report(request.run, console);
    }
    if (outcome.interrupted) {
        const auto* where = outcome.validation_pending ? "during the validation after" : "after";
        throw Interrupted(fmt::format("stopped {} step {} of {}, saved; continue with: {}", where,
                                      outcome.steps, outcome.total_steps, how));
    }
    if (!outcome.finished()) {
        console.info(fmt::format("stopped after {} minutes at step {} of {}, saved; continue with: {}",
                                 arguments.max_minutes, outcome.steps, outcome.total_steps, how));
        return false;
    }
    if (!request.repeats.empty() && leads) tell_losses(request, console);
    console.info(fmt::format("trained {} in {:.0f} s; evaluate with: {}", counted(outcome.steps, "step"),
                             outcome.seconds, command_line({"evaluate", request.run.string()})));
    return true;
}

/// "runs/a" of "runs/a/", as a shell completes it: names are made from it.
std::string without_last_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

/// "mmnist/gsta" names the file experiments/mmnist/gsta.json that belongs to this program, from any folder.
fs::path find_experiment(const std::string& given) {
    std::error_code ec;
    if (fs::exists(given, ec)) return given;
    const auto folder = experiments_folder();
    if (!folder) return given;
    for (const auto& path : {*folder / given, *folder / (given + ".json")}) {
        if (fs::is_regular_file(path, ec)) return path;
    }
    return given;
}

/// What is to be trained, and the run's folder.
void choose_experiment(const TrainArguments& arguments, const std::vector<Setting>& settings,
                       TrainRequest& request, Console& console) {
    const bool own = !arguments.data.empty();
    if (own == !arguments.experiment.empty())
        throw UsageError(own ? "train: give EXPERIMENT or --data, not both"
                             : "train: EXPERIMENT is required (or --data FILE, or --repeat RUN)");
    if (!own && !arguments.scale.empty()) throw UsageError("train: --scale requires --data");
    if (!own && !arguments.layout.empty())
        throw UsageError("train: --layout requires --data (or use --set dataset.layout)");
    request.run = without_last_slashes(arguments.run);
    if (!own) {
        request.experiment = load_experiment(find_experiment(arguments.experiment), settings);
        if (request.run.empty()) request.run = fs::path("runs") / request.experiment.default_run_name();
        return;
    }
    if (request.run.empty()) request.run = fs::path("runs") / arguments.data.path.stem();
    if (request.group != nullptr && arguments.scale.empty())
        throw UsageError(
            "train: with several processes --data requires --scale, which each would choose by its own "
            "speed");
    // A run keeps the scale that it was started with, however fast the machine is now.
    if (arguments.resume && RunFolder::is_run(request.run)) {
        request.experiment = load_experiment(RunFolder::open(request.run).experiment_file(), settings);
    } else {
        if (request.group == nullptr || request.group->leads())
            RunFolder::require_available(request.run, arguments.resume, arguments.force);
        request.experiment = clip_experiment(
            {arguments.data, arguments.scale, arguments.layout, arguments.device, arguments.external},
            settings, console);
    }
}

/// As the run was, except for --run and --device.
TrainRequest repetition(const TrainArguments& arguments) {
    if (!arguments.experiment.empty() || !arguments.settings.empty() || !arguments.own.empty() ||
        arguments.external.allowed || arguments.seeds > 1 || !arguments.data.empty()) {
        throw UsageError(
            "--repeat repeats a run with its own experiment; leave out EXPERIMENT, --data and settings");
    }
    const auto run = RunFolder::open(without_last_slashes(arguments.repeat));
    TrainRequest request;
    request.experiment = experiment_of(run);
    request.repeats = run.path();
    request.run = arguments.run.empty() ? run.path().string() + "-repeat" : arguments.run;
    const auto device = value_of(run.run_record().value_or(Json()), "device");
    if (arguments.device == "auto" && device.is_string()) request.device = device.get<std::string>();
    return request;
}

void run_train(const TrainArguments& arguments, Group* group, Console& console) {
    if (!arguments.repeat.empty()) {
        TrainRequest request;
        together(group, [&] { request = repetition(arguments); });
        request.group = group;
        request.resume = arguments.resume;
        request.max_minutes = arguments.max_minutes;
        run_one(arguments, std::move(request), console);
        return;
    }
    TrainRequest request;
    request.group = group;
    together(group, [&] {
        std::vector<Setting> settings;
        for (const auto& text : arguments.settings) settings.push_back(parse_setting(text));
        settings.insert(settings.end(), arguments.own.begin(), arguments.own.end());
        if (arguments.external.allowed)
            settings.push_back({"dataset.allow_external", true, "--allow-external"});
        choose_experiment(arguments, settings, request, console);
    });
    request.resume = arguments.resume;
    request.max_minutes = arguments.max_minutes;
    if (arguments.seeds == 1) {
        run_one(arguments, std::move(request), console);
        return;
    }
    const auto started = Clock::now();
    const auto first = request.experiment.train.seed;
    for (std::uint64_t seed = first; seed < first + static_cast<std::uint64_t>(arguments.seeds); ++seed) {
        auto one = request;
        one.experiment.train.seed = seed;
        one.run += fmt::format("-seed{}", seed);
        // --resume resumes the whole series: runs that were not reached yet are started.
        one.resume = arguments.resume;
        // The limit is for all runs together; each makes at least one step, so that repeated calls finish.
        if (arguments.max_minutes > 0)
            one.max_minutes = std::max(1e-9, arguments.max_minutes - seconds_since(started) / 60);
        console.info(fmt::format("seed {}: {}", seed, one.run.string()));
        if (!run_one(arguments, std::move(one), console)) return;
    }
}

/// --save-every for train.save_every.
std::string flag_of(std::string key) {
    std::ranges::replace(key, '_', '-');
    return "--" + key;
}

OptionInfo described_key(const std::string& key) {
    return find_named(list_options<TrainOptions>(), key, "key");
}

/// A flag that makes a key of training true.
void add_key_flag(CLI::App& command, std::vector<Setting>& settings, const std::string& key) {
    const auto flag = flag_of(key);
    const auto set = [&settings, key, flag] { settings.push_back({"train." + key, true, flag}); };
    command.add_flag_callback(flag, set, described_key(key).meaning);
}

/// An option for a key of training.
template <class T>
void add_key_option(CLI::App& command, std::vector<Setting>& settings, const std::string& key,
                    const CLI::Validator& check) {
    const auto flag = flag_of(key);
    const auto described = described_key(key);
    command
        .add_option_function<T>(
            flag,
            [&settings, key, flag](const T& value) {
                settings.push_back({"train." + key, value, flag});
            },
            described.meaning + " (default: the experiment's, or " + described.by_default.dump() + ")")
        ->check(check);
}

}  // namespace

void add_train(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<TrainArguments>();
    auto* command = app.add_subcommand("train", "Train the network of an experiment file");
    auto* experiment =
        command->add_option("EXPERIMENT", arguments->experiment,
                            "experiment file, or one of the benchmark's by name, e.g. mmnist/gsta");
    begin_group(*command, "Data");
    command
        ->add_option("--data", arguments->data,
                     "FILE[:DATASET] of your own sequences (stl import): train a network on them without an "
                     "experiment "
                     "file")
        ->excludes(experiment);
    command
        ->add_option(
            "--scale", arguments->scale,
            "with --data: small, medium or large (default: the largest for so many sequences that trains in "
            "about an hour here)")
        ->check(CLI::IsMember({"small", "medium", "large"}));
    command->add_option("--layout", arguments->layout, "with --data: axes of an array, e.g. NTHW");
    begin_group(*command, "Run");
    command
        ->add_option("--run", arguments->run,
                     "run folder (default: runs/<dataset>-<translator>; with --data: "
                     "runs/<name of the file>)")
        ->check(not_empty);
    auto* resume =
        command->add_flag("--resume", arguments->resume, "continue the run; if there is none yet, start it");
    command->add_flag("--force", arguments->force, "replace an existing run")->excludes(resume);
    command
        ->add_option("--max-minutes", arguments->max_minutes,
                     "save and stop after this many minutes (with --seeds: in total; default: no limit)")
        ->check(positive);
    command
        ->add_option("--seeds", arguments->seeds,
                     "train this many runs with consecutive seeds from train.seed on, in RUN-seed<SEED>")
        ->check(positive)
        ->capture_default_str();
    command
        ->add_option(
            "--repeat", arguments->repeat,
            "train a run's experiment again, into RUN-repeat unless --run says otherwise; lists what "
            "differs (version, machine, data)")
        ->check(not_empty);
    begin_group(*command, "Experiment");
    command
        ->add_option("--set", arguments->settings,
                     "KEY=VALUE: override a key, e.g. train.lr=0.01 (repeatable)")
        ->allow_extra_args(false);
    auto& own = arguments->own;
    command->add_option_function<std::string>(
        "--translator",
        [&own](const std::string& name) {
            own.push_back({"model.translator", name, "--translator"});
        },
        "translator to use instead of the experiment's (stl list shows them)");
    add_allow_external(*command, arguments->external);
    begin_group(*command, "Checkpoints and logs");
    add_key_option<std::int64_t>(*command, own, "save_every", not_negative);
    add_key_option<double>(*command, own, "save_minutes", not_negative);
    add_key_option<std::int64_t>(*command, own, "keep", positive);
    add_key_option<std::int64_t>(*command, own, "log_every", positive);
    begin_group(*command, "Compute");
    add_device_option(*command, arguments->device);
    add_key_option<int>(*command, own, "threads", CLI::Range(0, 4096));
    add_rank_options(*command, arguments->ranks);
    add_key_flag(*command, own, "checkpoint_activations");
    command->add_flag(
        "--detect-anomaly", arguments->detect_anomaly,
        "name the layer and operation of the first value or gradient that is not finite (slow)");
    add_examples(
        *command,
        {"stl train mmnist/gsta", "stl train --data clips.h5 --scale small",
         "stl train experiments/mmnist/gsta.json --run runs/a --set train.epochs=50 --set train.lr=0.005",
         "stl train experiments/mmnist/base.json --translator moganet",
         "stl train experiments/mmnist/gsta.json --run runs/a --resume", "stl train mmnist/gsta --devices 4",
         "mpirun -np 8 stl train mmnist/gsta"});
    command->callback([arguments, &console] {
        with_ranks(arguments->ranks, console, [&](Group* group) { run_train(*arguments, group, console); });
    });
}

}  // namespace stl::tools
