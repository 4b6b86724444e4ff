// Learning-rate schedules, each a pure function of the step.
//
// To add one: a function in schedule.cpp, a line in its list, and its name in the row `schedule` of docs/experiments.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/json.h"
#include "stl/core/options.h"

namespace stl {

struct ScheduleOptions {
    std::string name = "onecycle";
    double lr = 1e-3;  ///< the largest rate (onecycle), the first one after warm-up (cosine, step)
    std::int64_t epochs = 200;
    std::int64_t steps_per_epoch = 1;
    std::int64_t total_steps = 200;  ///< of the whole run
    double final_div_factor = 1e4;   ///< onecycle: the last rate is lr / 25 / final_div_factor
    double min_lr = 1e-6;            ///< cosine: the last rate
    double warmup_lr = 1e-5;         ///< cosine, step: the rate at the start of the warm-up
    std::int64_t warmup_epoch = 0;   ///< epochs of linear warm-up
    std::int64_t decay_epoch = 100;  ///< step: epochs between two reductions
    double decay_rate = 0.1;         ///< step: the factor of a reduction

    template <class Options, class Visit>
    static void each(Options& o, Visit&& key);
};

struct ScheduleValue {
    double lr = 0;
    std::optional<double> beta1;  ///< if the schedule also changes Adam's beta1
};

/// What the optimizer uses for step `step` (from 0).
///   onecycle  torch.optim.lr_scheduler.OneCycleLR with cosine annealing, per step; beta1 goes
///             0.95 -> 0.85 -> 0.95. Source: Smith & Topin, "Super-Convergence", 2018.
///   cosine    timm 0.6's CosineLRScheduler, per epoch. Source: Loshchilov & Hutter, "SGDR", 2017.
///   step      timm 0.6's StepLRScheduler, per epoch.
///   constant  lr throughout.
ScheduleValue schedule_value(const ScheduleOptions& options, std::int64_t step);

/// The state_dict of torch.optim.lr_scheduler after `step` steps (onecycle; null for the others). Also adds to
/// `group` the settings that OneCycleLR keeps in Adam's parameter group.
Json torch_scheduler_state(const ScheduleOptions& options, std::int64_t step, Json& group);

struct ScheduleEntry {
    std::string name;
    std::string help;
    ScheduleValue (*value)(const ScheduleOptions&, std::int64_t step);
    bool knows_the_end;  ///< its values depend on the length of the run, which therefore can't be trained on
};
const std::vector<ScheduleEntry>& schedules();
/// Error naming the nearest: "<where>: unknown schedule 'onecylce' (did you mean 'onecycle'?)".
const ScheduleEntry& find_schedule(std::string_view name, std::string_view where);

template <class Options, class Visit>
void ScheduleOptions::each(Options& o, Visit&& key) {
    key("schedule", o.name, one_of("schedule", names_of(schedules())), "learning-rate schedule");
    key("final_div_factor", o.final_div_factor, positive(),
        "onecycle: the last rate is lr / 25 / final_div_factor");
    key("min_lr", o.min_lr, not_negative(), "cosine: the last rate");
    key("warmup_lr", o.warmup_lr, not_negative(), "cosine, step: the rate at the start of the warm-up");
    key("warmup_epoch", o.warmup_epoch, at_least(0), "cosine, step: epochs of linear warm-up");
    key("decay_epoch", o.decay_epoch, at_least(1), "step: epochs between reductions of the rate");
    key("decay_rate", o.decay_rate, positive(), "step: factor by which each reduction multiplies the rate");
}

}  // namespace stl
