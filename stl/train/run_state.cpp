#include "stl/train/run_state.h"

#include <ATen/Context.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/train/loss_log.h"
#include "stl/train/resume.h"

namespace stl {
namespace {

at::Generator default_generator(torch::Device device) {
    return at::globalContext().defaultGenerator(device);
}

void restore_random_numbers(torch::Device device, const Checkpoint& checkpoint, const fs::path& path,
                            Reporter& reporter) {
    auto generator = default_generator(device);
    const auto stored =
        std::ranges::find(checkpoint.extra, "rng", [](const auto& entry) { return entry.first; });
    if (stored == checkpoint.extra.end()) {
        fail("{}: stl_tensors.rng: missing, so the run cannot continue exactly", path.string());
    }
    if (stored->second.numel() == generator.get_state().numel()) {
        generator.set_state(stored->second.clone());
    } else {
        reporter.warn(path.string() +
                      ": written on another kind of device; its random state is not restored, so results "
                      "differ from an uninterrupted run");
    }
}

/// Of the random state of rank `i` + 1 in a checkpoint.
std::string rank_random_name(std::size_t i) {
    return fmt::format("rng.{}", i + 1);
}

/// Of all ranks but the first, as many as it has.
std::vector<torch::Tensor> rank_random_of(const Checkpoint& checkpoint) {
    std::vector<torch::Tensor> states;
    for (;;) {
        const auto stored = std::ranges::find(checkpoint.extra, rank_random_name(states.size()),
                                              [](const auto& entry) { return entry.first; });
        if (stored == checkpoint.extra.end()) return states;
        states.push_back(stored->second.clone());
    }
}

/// Of the steps in the log that the checkpoint, of `step`, does not have.
void warn_of_lost_steps(const Metrics& log, std::int64_t step, Reporter& reporter) {
    std::int64_t reached = step;
    for (const auto& line : log.lines)
        reached = std::max(reached, line.value("step", line.value("steps", std::int64_t{0})));
    const auto lost = reached - step;
    reporter.warn(fmt::format("continuing from step {}; {} {} lost and done again", step,
                              counted(lost, "step"), lost == 1 ? "is" : "are"));
}

/// Steps behind a checkpoint of another program: SGD does not count its own.
std::int64_t foreign_steps(const Checkpoint& checkpoint, const std::string& where) {
    if (const auto steps = checkpoint.optimizer->steps(); steps > 0) return steps;
    if (checkpoint.global_step) return *checkpoint.global_step;
    // torch's OneCycleLR counts steps; the schedulers that count epochs have other keys.
    const auto& scheduler = checkpoint.scheduler;
    if (scheduler.is_object() && scheduler.contains("total_steps") && scheduler.contains("last_epoch") &&
        scheduler["last_epoch"].is_number_integer()) {
        return scheduler["last_epoch"].get<std::int64_t>();
    }
    fail("{}: does not record the number of steps (no global_step, and SGD does not count them)", where);
}

/// The standing recorded in a checkpoint with an optimizer's state. One written by another program, without our record,
/// gives only the number of steps.
/// Error: a step beyond `total_steps`, no number of steps, a record without what an exact continuation needs.
Standing read_standing(const Checkpoint& checkpoint, std::int64_t total_steps, const std::string& where) {
    const bool ours = checkpoint.stl.is_object();
    Fields stored(ours ? checkpoint.stl : Json::object(), where + ": stl");
    Standing s;
    s.step = ours ? stored.require<std::int64_t>("step") : foreign_steps(checkpoint, where);
    if (s.step < 0 || s.step > total_steps) {
        fail("{}: {}: {}, expected 0 to {}", where, ours ? "stl.step" : "the optimizer's step", s.step,
             total_steps);
    }
    if (ours) s.epoch_sum = stored.require<double>("epoch_sum");
    s.seconds = stored.get<double>("seconds", s.seconds);
    s.best_loss = stored.get<double>("best_loss", s.best_loss);
    s.validation_pending = stored.get<bool>("validation_pending", s.validation_pending);
    s.since_best = stored.get<std::int64_t>("since_best", s.since_best);
    return s;
}

/// Error: a step had another number of sequences (train.batch_per_device, and now another number of devices), so that
/// the schedule and the epochs are others.
void require_step_batch(const Json& before, const Json& now, const std::string& where) {
    const auto was = before.find("step_batch"), is = now.find("step_batch");
    if (was == before.end() || is == now.end() || *was == *is) return;
    fail(
        "{}: its steps had {} sequences, now {}: with train.batch_per_device a run continues on as many "
        "devices as it "
        "was started on",
        where, was->dump(), is->dump());
}

/// Before the names of the weights in training, where the checkpoint's own weights are their average.
constexpr std::string_view raw = "raw.";

NamedTensors raw_weights(const Checkpoint& checkpoint) {
    NamedTensors weights;
    for (const auto& [name, tensor] : checkpoint.extra) {
        if (name.starts_with(raw)) weights.emplace_back(name.substr(raw.size()), tensor);
    }
    return weights;
}

/// On the CPU, in memory of its own.
torch::Tensor copy_of(const torch::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    const auto values = tensor.detach();
    return values.is_cpu() ? values.clone(torch::MemoryFormat::Contiguous) : values.cpu().contiguous();
}

/// Calls function(tensor) for all tensors of a checkpoint.
template <class Function>
void for_each_tensor(Checkpoint& checkpoint, Function function) {
    for (auto* named : {&checkpoint.state, &checkpoint.extra}) {
        for (auto& [name, tensor] : *named) function(tensor);
    }
    if (!checkpoint.optimizer) return;
    for (auto& one : checkpoint.optimizer->parameters) {
        function(one.exp_avg);
        function(one.exp_avg_sq);
    }
}

/// Whether the machine has memory for a copy, with as much again left.
bool has_room(Checkpoint& checkpoint) {
    std::uint64_t bytes = 0;
    for_each_tensor(checkpoint,
                    [&](const torch::Tensor& tensor) { bytes += tensor.defined() ? tensor.nbytes() : 0; });
    return available_memory().bytes / 2 > bytes;
}

}  // namespace

bool RunState::restore(const RunFolder& folder, Reporter& reporter) {
    const auto log = folder.read_metrics();
    if (!log.damaged.empty()) reporter.warn(log.damage());
    const auto found = newest_checkpoint(folder, reporter);
    if (!found) {
        const auto path = folder.checkpoint("last").string();
        if (!may_start_over(folder, log)) {
            fail(
                "{}: missing, although the run has completed an epoch; use --force to start over, or start a "
                "new run from its best weights with --set train.init={}",
                path, folder.checkpoint("best").string());
        }
        reporter.warn(
            path + ": missing; the run was interrupted before its first complete checkpoint and starts over");
        folder.drop_metrics_after(log, 0);
        return false;
    }
    const auto& [path, checkpoint] = *found;
    if (!checkpoint.optimizer) fail("{}: has no training state to continue from", path.string());
    require_own(checkpoint, record["experiment"], path.string());
    // Another program's checkpoint has no average.
    const auto in_training = raw_weights(checkpoint);
    load_weights(*model, in_training.empty() ? checkpoint.state : in_training, path.string());
    if (average && in_training.empty()) average->restart();
    if (average && !in_training.empty()) average->load(checkpoint.state, path.string());
    optimizer->load(*checkpoint.optimizer, path.string());
    if (checkpoint.stl.is_object()) require_step_batch(checkpoint.stl, record, path.string());
    now = read_standing(checkpoint, schedule.total_steps, path.string());
    if (checkpoint.stl.is_object()) {
        restore_random_numbers(device, checkpoint, path, reporter);
        rank_random = rank_random_of(checkpoint);
    } else {
        reporter.warn(
            fmt::format("{}: not written by stl; continuing after step {}", path.string(), now.step));
    }
    if (const auto line = log_difference(log, checkpoint); !line.empty())
        reporter.warn(log.file.string() + ": " + line);
    last_is_damaged = path != folder.checkpoint("last");
    if (last_is_damaged) warn_of_lost_steps(log, now.step, reporter);
    // A run that was killed after the pending validation may have written its line.
    folder.drop_metrics_after(log, now.step, now.validation_pending);
    return true;
}

Checkpoint RunState::checkpoint(const RunFolder& folder) const {
    Checkpoint made;
    made.state = state_of(*model);
    for (const auto& [name, tensor] : made.state) {
        if (torch::isfinite(tensor).all().item<bool>()) continue;
        fail("step {}: {} is not finite; {}", now.step, name, what_stays(&folder));
    }
    made.epoch = now.step / schedule.steps_per_epoch;
    made.stl = record;
    made.stl["step"] = now.step;
    made.stl["epoch_sum"] = now.epoch_sum;
    made.stl["seconds"] = seconds();
    if (std::isfinite(now.best_loss)) made.stl["best_loss"] = now.best_loss;
    if (now.validation_pending) made.stl["validation_pending"] = true;
    if (now.since_best > 0) made.stl["since_best"] = now.since_best;
    return made;
}

void RunState::save(Checkpoint made, const std::function<void(const Checkpoint&)>& write) {
    if (!has_room(made)) {
        wait_for_checkpoints();
        return write(made);
    }
    // Training goes on to change the tensors.
    for_each_tensor(made, [](torch::Tensor& tensor) { tensor = copy_of(tensor); });
    background.add([write, copy = std::make_shared<const Checkpoint>(std::move(made))] { write(*copy); });
}

void RunState::save_best(RunFolder& folder) {
    const torch::NoGradGuard no_grad;
    save(checkpoint(folder), [&folder](const Checkpoint& made) {
        folder.require_own();
        write_checkpoint(folder.checkpoint("best"), made);
    });
}

void RunState::save_last(RunFolder& folder, std::int64_t keep) {
    const torch::NoGradGuard no_grad;
    auto made = checkpoint(folder);
    std::error_code none_yet;
    const auto log_bytes = fs::file_size(folder.metrics_file(), none_yet);
    made.stl[log_bytes_key] = none_yet ? 0 : log_bytes;
    if (average) {
        for (auto& [name, tensor] : made.state) made.extra.emplace_back(std::string(raw) + name, tensor);
        made.state = average->state();
    }
    made.optimizer = optimizer->state();
    made.scheduler = torch_scheduler_state(schedule, now.step, made.optimizer->group);
    made.extra.emplace_back("rng", default_generator(device).get_state());
    for (std::size_t i = 0; i < rank_random.size(); ++i)
        made.extra.emplace_back(rank_random_name(i), rank_random[i]);
    // What is damaged does not take the place of an earlier one that is whole.
    if (std::exchange(last_is_damaged, false)) keep = 1;
    save(std::move(made), [&folder, keep](const Checkpoint& written) {
        folder.replace_last(keep, [&] { write_checkpoint(folder.checkpoint("last"), written); });
    });
    saved = Clock::now();
}

}  // namespace stl
