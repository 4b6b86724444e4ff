#include "stl/train/resume.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/run/schedule.h"
#include "stl/run/settings.h"

namespace stl {
namespace {

/// Whether a run may continue to more epochs: the schedule was the same up to here.
bool may_go_on(const Json& before, const Json& now) {
    const auto epochs = [](const Json& train) { return train.value("epochs", std::int64_t{0}); };
    if (!before.is_object() || !now.is_object() || before.contains("steps") || now.contains("steps"))
        return false;
    const auto name = now.value("schedule", std::string());
    return before.value("schedule", std::string()) == name && epochs(now) > epochs(before) &&
           !find_schedule(name, "train.schedule").knows_the_end;
}

/// The changes that a resumed run must not make.
std::vector<SettingChange> forbidden_changes(const Json& before, const Json& resolved, Compared compared) {
    auto changes = setting_changes(before, resolved, compared);
    if (may_go_on(before.value("train", Json()), resolved.value("train", Json())))
        std::erase_if(changes, [](const SettingChange& change) { return change.key == "train.epochs"; });
    return changes;
}

}  // namespace

void require_settings(const RunFolder& folder, const Json& resolved) {
    const auto file = folder.experiment_file();
    const auto before = Fields(read_json(file), file.string()).object();
    for (const auto& [key, was, is] : forbidden_changes(before, resolved, Compared::all)) {
        fail(
            "{}: {} is not what the run was started with ({}, now {}); a run continues with its own "
            "settings{}; to train on from its weights with others, start a new run with --set train.init={}",
            file.string(), key, was, is,
            key == "train.epochs" ? " (to more epochs if its schedule is constant or step)" : "",
            folder.path().string());
    }
}

void require_own(const Checkpoint& checkpoint, const Json& resolved, const std::string& where) {
    const auto& record = checkpoint.stl;
    if (!record.is_object() || !record.contains("experiment") || !record["experiment"].is_object()) return;
    const auto changes = forbidden_changes(record["experiment"], resolved, Compared::common);
    if (!changes.empty())
        fail("{}: belongs to a run with a different {}; to start from its weights, set train.init", where,
             changes.front().key);
}

std::string log_difference(const Metrics& log, const Checkpoint& checkpoint) {
    const auto recorded = value_of(checkpoint.stl, log_bytes_key);
    if (!recorded.is_number_integer()) return "";
    const auto bytes = recorded.get<std::uint64_t>();
    if (log.bytes < bytes)
        return fmt::format("lines are missing at its end: it had {} bytes, {} are left", bytes, log.bytes);
    for (const auto* key : {"step", "steps"}) {
        std::int64_t before = -1;
        for (const auto& line : log.lines) {
            const auto step = line.value(key, std::int64_t{-1});
            if (step >= 0 && step <= before) return fmt::format("{} {} stands twice", key, step);
            before = std::max(before, step);
        }
    }
    return "";
}

bool may_start_over(const RunFolder& folder, const Metrics& metrics) {
    const auto epochs =
        std::ranges::count_if(metrics.lines, [](const Json& line) { return line.contains("steps"); });
    if (epochs > 1) return false;
    // A run that stopped by itself has saved.
    const auto record = folder.run_record();
    if (!record) return true;
    const auto state = Fields(*record, folder.run_file().string()).object().value("state", "");
    return epochs == 0 || (state != "finished" && state != "stopped");
}

std::optional<LastCheckpoint> newest_checkpoint(const RunFolder& folder, Reporter& reporter) {
    const auto files = folder.last_checkpoints();
    std::vector<std::string> problems;
    if (!files.empty() && files.front() != folder.checkpoint("last"))
        problems.push_back(fmt::format("{}: missing", folder.checkpoint("last").string()));
    for (const auto& file : files) {
        try {
            LastCheckpoint found{file, read_checkpoint(file)};
            if (!problems.empty())
                reporter.warn(fmt::format("{}; continuing from {}, an earlier checkpoint", problems.back(),
                                          file.string()));
            return found;
        } catch (const Error& error) {
            problems.emplace_back(error.what());
        }
    }
    if (!problems.empty()) throw Error(problems.front());
    return std::nullopt;
}

}  // namespace stl
