#include "stl/run/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "stl/core/names.h"

namespace stl {
namespace {

// OneCycleLR's defaults.
constexpr double warm_part = 0.3;
constexpr double div_factor = 25.0;
constexpr double base_momentum = 0.85;
constexpr double max_momentum = 0.95;

double cosine_between(double start, double end, double fraction) {
    return end + (start - end) / 2.0 * (1.0 + std::cos(std::numbers::pi * fraction));
}

ScheduleValue onecycle(const ScheduleOptions& options, std::int64_t step) {
    const double first = options.lr / div_factor;
    const double last = first / options.final_div_factor;
    const auto total = static_cast<double>(options.total_steps);
    const double peak = warm_part * total - 1.0;  // the step with the largest rate; may be fractional
    const auto s = static_cast<double>(std::min(step, options.total_steps - 1));
    if (s <= peak) {
        const double fraction = peak > 0 ? s / peak : 1.0;
        return {cosine_between(first, options.lr, fraction),
                cosine_between(max_momentum, base_momentum, fraction)};
    }
    const double fraction = (s - peak) / (total - 1.0 - peak);
    return {cosine_between(options.lr, last, fraction),
            cosine_between(base_momentum, max_momentum, fraction)};
}

std::optional<double> warm_up(const ScheduleOptions& options, std::int64_t epoch) {
    if (epoch >= options.warmup_epoch) return std::nullopt;
    const double rise = (options.lr - options.warmup_lr) / static_cast<double>(options.warmup_epoch);
    return options.warmup_lr + static_cast<double>(epoch) * rise;
}

std::int64_t epoch_of(const ScheduleOptions& options, std::int64_t step) {
    return step / std::max<std::int64_t>(1, options.steps_per_epoch);
}

ScheduleValue cosine(const ScheduleOptions& options, std::int64_t step) {
    const auto epoch = epoch_of(options, step);
    if (const auto rate = warm_up(options, epoch)) return {*rate, std::nullopt};
    if (epoch >= options.epochs) return {options.min_lr, std::nullopt};
    const double fraction = static_cast<double>(epoch) / static_cast<double>(options.epochs);
    return {cosine_between(options.lr, options.min_lr, fraction), std::nullopt};
}

ScheduleValue step_decay(const ScheduleOptions& options, std::int64_t step) {
    const auto epoch = epoch_of(options, step);
    if (const auto rate = warm_up(options, epoch)) return {*rate, std::nullopt};
    const auto reductions = epoch / std::max<std::int64_t>(1, options.decay_epoch);
    return {options.lr * std::pow(options.decay_rate, static_cast<double>(reductions)), std::nullopt};
}

ScheduleValue constant(const ScheduleOptions& options, std::int64_t) {
    return {options.lr, std::nullopt};
}

}  // namespace

const std::vector<ScheduleEntry>& schedules() {
    static const std::vector<ScheduleEntry> list{
        {"onecycle",
         "cosine rise to lr and cosine decay, per step; moves Adam's beta1 in the opposite direction",
         onecycle, true},
        {"cosine", "warmup_epoch epochs from warmup_lr to lr, then cosine decay to min_lr, per epoch", cosine,
         true},
        {"step", "multiplied by decay_rate every decay_epoch epochs", step_decay, false},
        {"constant", "constant lr", constant, false},
    };
    return list;
}

const ScheduleEntry& find_schedule(std::string_view name, std::string_view where) {
    return find_named(schedules(), name, "schedule", where);
}

ScheduleValue schedule_value(const ScheduleOptions& options, std::int64_t step) {
    return find_schedule(options.name, "train.schedule").value(options, step);
}

Json torch_scheduler_state(const ScheduleOptions& options, std::int64_t step, Json& group) {
    if (options.name != "onecycle") return nullptr;
    const double first = options.lr / div_factor;
    const auto next = schedule_value(options, step);
    group["lr"] = next.lr;
    const bool adaptive = group.contains("betas");
    (adaptive ? group["betas"][0] : group["momentum"]) = *next.beta1;
    group["initial_lr"] = first;
    group["max_lr"] = options.lr;
    group["min_lr"] = first / options.final_div_factor;
    group["max_momentum"] = max_momentum;
    group["base_momentum"] = base_momentum;
    const double peak = warm_part * static_cast<double>(options.total_steps) - 1.0;
    const Json rise = {{"end_step", peak},
                       {"start_lr", "initial_lr"},
                       {"end_lr", "max_lr"},
                       {"start_momentum", "max_momentum"},
                       {"end_momentum", "base_momentum"}};
    const Json fall = {{"end_step", options.total_steps - 1},
                       {"start_lr", "max_lr"},
                       {"end_lr", "min_lr"},
                       {"start_momentum", "base_momentum"},
                       {"end_momentum", "max_momentum"}};
    return {{"total_steps", options.total_steps},
            {"_schedule_phases", {rise, fall}},
            {"_anneal_func_type", "cos"},
            {"cycle_momentum", true},
            {"use_beta1", adaptive},
            {"base_lrs", {first}},
            {"last_epoch", step},
            {"_step_count", step + 1},
            {"_last_lr", {next.lr}}};
}

}  // namespace stl
