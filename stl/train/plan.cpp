#include "stl/train/plan.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/data/loader.h"
#include "stl/run/run_folder.h"

namespace stl {
namespace {

/// What training holds at the least on a CPU: weights, their gradients and the optimizer's two moments, the
/// batches that the loader makes ahead, and the first layer's maps, which the decoder's last layer needs.
std::uint64_t least_bytes(double parameters, const SimVPOptions& m, const SequenceShape& shape,
                          const StepParts& parts) {
    constexpr double most = 1e18;
    const double batches = LoaderOptions{}.read_ahead + 1;
    const double pixels = double(shape.height) * double(shape.width);
    const double sequence = double(shape.frames) * double(shape.channels) * pixels;
    const double maps = double(m.frames) * double(m.hid_S) * pixels;
    const double values =
        4 * parameters + double(parts.per_device()) * batches * sequence + double(parts.at_once()) * maps;
    return static_cast<std::uint64_t>(std::min(most, sizeof(float) * values));
}

/// Doubles, which the schedules reckon in, count steps one by one up to here.
constexpr std::int64_t most_steps = std::int64_t{1} << 53;

std::int64_t total_steps(const Experiment& experiment, std::int64_t steps_per_epoch) {
    const auto& train = experiment.train;
    const auto at_most = [&](std::int64_t value, std::int64_t most, const char* key) {
        if (value > most)
            fail("{}: train.{}: {} is too large, expected at most {}", experiment.file, key, value, most);
    };
    if (train.steps) {
        at_most(*train.steps, most_steps, "steps");
        return *train.steps;
    }
    at_most(train.epochs, most_steps / steps_per_epoch, "epochs");
    return train.epochs * steps_per_epoch;
}

}  // namespace

TrainOptions as_computed(TrainOptions asked, torch::Device device, Reporter& reporter) {
    const auto [precision, reason] =
        resolve_precision(asked.precision, Work::training, device.type(), Path::fast);
    if (!reason.empty()) reporter.warn(fmt::format("{}; training in {} instead", reason, name_of(precision)));
    asked.precision = precision;
    return asked;
}

StepParts step_parts(const Experiment& experiment, std::int64_t devices) {
    const auto& train = experiment.train;
    StepParts parts{train.batch_size, devices, train.accumulate.value_or(1)};
    if (train.batch_per_device) {
        constexpr std::int64_t most = std::int64_t{1} << 40;
        if (*train.batch_per_device > most)
            fail("{}: train.batch_per_device: {} is too large", experiment.file, *train.batch_per_device);
        parts.batch = *train.batch_per_device * devices;
    }
    if (parts.batch % devices != 0) {
        fail("{}: train.batch_size: {} sequences cannot be divided equally among {}", experiment.file,
             parts.batch, counted(devices, "device"));
    }
    if (parts.parts > parts.per_device()) {
        fail("{}: train.accumulate: {} parts of a batch of {}", experiment.file, parts.parts,
             counted(parts.per_device(), "sequence"));
    }
    return parts;
}

ScheduleOptions planned_schedule(const Experiment& experiment, std::int64_t sequences, std::int64_t batch) {
    if (sequences < batch) {
        const bool per_device = experiment.train.batch_per_device.has_value();
        fail("{}: {}, expected at least one batch ({} is {})", experiment.file,
             counted(sequences, "training sequence"),
             per_device ? "with train.batch_per_device it" : "train.batch_size", batch);
    }
    auto schedule = experiment.train.schedule;
    schedule.steps_per_epoch = sequences / batch;
    schedule.total_steps = total_steps(experiment, schedule.steps_per_epoch);
    schedule.epochs = (schedule.total_steps + schedule.steps_per_epoch - 1) / schedule.steps_per_epoch;
    return schedule;
}

void require_room(const Experiment& experiment, const SimVPImpl& model, const SequenceShape& shape,
                  const StepParts& parts, torch::Device device) {
    const auto parameters = model.parameter_count();
    if (!device.is_cpu()) {
        // They are drawn in the machine's own memory.
        return require_memory(sizeof(float) * static_cast<std::uint64_t>(parameters),
                              fmt::format("{}: a model of {} parameters", experiment.file, parameters));
    }
    require_memory(
        least_bytes(static_cast<double>(parameters), model.options(), shape, parts),
        fmt::format("{}: a model of {} parameters and batches of {} ({}) of {}", experiment.file, parameters,
                    counted(parts.per_device(), "sequence"),
                    experiment.train.batch_per_device ? "train.batch_per_device" : "train.batch_size",
                    to_string(shape)));
}

void load_initial_weights(SimVPImpl& model, const Experiment& experiment, Reporter& reporter) {
    const auto& init = experiment.train.init;
    if (!init || init->empty()) return;
    try {
        const auto file = checkpoint_of(*init, "last");
        const auto checkpoint = read_checkpoint(file, /*with_optimizer=*/false);
        for (const auto& note : checkpoint.notes) reporter.info(note);
        load_weights(model, checkpoint.state, file.string());
    } catch (const Error& error) {
        fail("{}: train.init: {}", experiment.file, error.what());
    }
}

void warn_about_data(const Experiment& experiment, const Dataset& training, const Dataset* validation,
                     Reporter& reporter) {
    const auto& set = experiment.dataset;
    const auto warn = [&](const std::string& what) {
        if (!what.empty()) reporter.warn(fmt::format("{}: {}", experiment.file, what));
    };
    if (const auto range = other_than_unit(training.range()); range && !set.normalization) {
        const auto by = training.normalization();
        if (by == Normalization{{range->low}, {range->width()}})
            reporter.info(fmt::format(
                "the network sees the values {} as 0 to 1 (dataset.mean and dataset.std change that)",
                to_string(*range)));
    }
    const auto said = training.warnings();
    for (const auto& line : said) reporter.warn(line);
    if (validation != nullptr) {
        for (const auto& line : validation->warnings()) {
            if (std::ranges::find(said, line) == said.end()) reporter.warn(line);
        }
    }
    if (!training.marks_split() && !set.own.contains("test_path")) {
        warn(fmt::format(
            "the data mark no split, so all {} are trained on and none is left to test on (mark one with "
            "stl import, or name another file as dataset.test_path)",
            counted(training.size(), "sequence")));
    }
    warn(shortage("dataset.train_sequences", set.train_sequences, training));
    if (validation != nullptr) {
        warn(shortage("dataset.val_sequences", set.val_sequences, *validation));
    } else if (set.val_sequences) {
        warn(
            fmt::format("dataset.val_sequences is {}, but no sequence is marked for validation: "
                        "training runs without validation",
                        *set.val_sequences));
    }
}

void tell_plan(const Experiment& experiment, const Dataset& training, const Dataset* validation,
               const SimVPImpl& model, const ScheduleOptions& schedule, const TrainOptions& computed,
               const StepParts& parts, torch::Device device, Reporter& reporter) {
    const auto files = training.files();
    const std::string name = files.empty() ? experiment.dataset.name : files.front().filename().string();
    const std::string validated =
        validation == nullptr ? "no validation" : fmt::format("{} for validation", validation->size());
    reporter.info(fmt::format("{}: {}, {}, of {}", name, counted(training.size(), "training sequence"),
                              validated, to_string(training.shape())));
    const std::string threads =
        device.is_cpu() ? fmt::format(" ({})", counted(at::get_num_threads(), "thread")) : "";
    const auto on = parts.devices == 1
                        ? device.str() + threads
                        : fmt::format("{} ranks, each on {}{},", parts.devices, device.str(), threads);
    auto step = counted(parts.batch, "sequence") + " a step";
    if (parts.devices > 1) step += fmt::format(", {} a rank", parts.per_device());
    if (parts.parts > 1) step += fmt::format(", in {} parts one after the other", parts.parts);
    reporter.info(fmt::format("{}, {:.3g} million parameters, on {} in {}: {} of {}, {}",
                              experiment.model.translator, static_cast<double>(model.parameter_count()) / 1e6,
                              on, name_of(computed.precision), counted(schedule.epochs, "epoch"),
                              counted(schedule.steps_per_epoch, "step"), step));
}

std::string time_text(double seconds) {
    constexpr double minute = 60, hour = 3600, day = 24 * hour;
    if (seconds < 1.5 * minute) return fmt::format("{:.0f} s", std::max(seconds, 1.0));
    if (seconds < 1.5 * hour) return fmt::format("{:.0f} min", seconds / minute);
    if (seconds < 1.5 * day) {
        const auto minutes = std::llround(seconds / minute);
        return fmt::format("{} h {} min", minutes / 60, minutes % 60);
    }
    return fmt::format("{:.0f} days", seconds / day);
}

void TimeToTheEnd::note(std::int64_t step, torch::Device device, Reporter& reporter) {
    if (noted_ > steps_to_measure) return;
    if (++noted_ == 1) {
        second_ = Clock::now();
        before_ = cpu_time();
    }
    if (noted_ <= steps_to_measure || step >= total_steps_) return;
    const double rest = seconds_since(second_) / steps_to_measure * static_cast<double>(total_steps_ - step);
    constexpr double nearly_all = 0.9;
    const double share = device.is_cpu() ? share_between(before_, cpu_time()) : 1;
    const auto busy =
        share < nearly_all
            ? fmt::format("; its threads get {:.0f} % of the time that they could use", 100 * share)
            : "";
    reporter.info(fmt::format("about {} to the end, validation not counted{}", time_text(rest), busy));
    constexpr double day = 24 * 3600;
    if (rest <= day) return;
    reporter.warn(
        fmt::format("training is expected to take {} on {}: {}a smaller network (model.hid_S, hid_T, N_T) or "
                    "fewer epochs (train.epochs) take less",
                    time_text(rest), device.str(), device.is_cpu() ? "a GPU, " : ""));
}

void BusyMachine::note(torch::Device device, Reporter& reporter) {
    if (warned_ || !device.is_cpu() || seconds_since(since_) < seconds_to_measure) return;
    const auto now = cpu_time();
    if (const auto line = warning(share_between(before_, now), at::get_num_threads()); !line.empty()) {
        reporter.warn(line);
        warned_ = true;
    }
    before_ = now;
    since_ = Clock::now();
}

std::string BusyMachine::warning(double share, int threads) {
    constexpr double enough = 0.6;
    if (share >= enough) return "";
    const int fair = std::max(1, static_cast<int>(share * threads));
    const auto advice =
        fair < threads ? fmt::format("; --threads {} leaves them their part", fair) : std::string();
    return fmt::format(
        "other programs or a quota hold the cores: this training's {} {} {:.0f} % of the time "
        "that {} could use{}",
        counted(threads, "thread"), threads == 1 ? "gets" : "get", 100 * share, threads == 1 ? "it" : "they",
        advice);
}

}  // namespace stl
