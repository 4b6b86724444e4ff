#include "stl/train/resume.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/run/schedule.h"
#include "stl/run/settings.h"

namespace stl {
namespace {

/// What a resumed run must not change: without the settings that leave the mathematics as they are (the last bits
/// follow `threads`), and with one spelling of each path.
Json without_free_settings(Json experiment) {
    for_each_path(experiment,
                  [](std::string& path) { path = fs::absolute(path).lexically_normal().string(); });
    const auto train = experiment.find("train");
    if (train == experiment.end() || !train->is_object()) return experiment;
    for (const char* key :
         {"save_every", "save_minutes", "keep", "log_every", "threads", "checkpoint_activations"})
        train->erase(key);
    return experiment;
}

/// Whether a run may be trained on to so many epochs: the schedule was the same up to here.
bool may_go_on(const Json& before, const Json& now) {
    const auto epochs = [](const Json& train) { return train.value("epochs", std::int64_t{0}); };
    if (!before.is_object() || !now.is_object() || before.contains("steps") || now.contains("steps"))
        return false;
    const auto name = now.value("schedule", std::string());
    return before.value("schedule", std::string()) == name && epochs(now) > epochs(before) &&
           !find_schedule(name, "train.schedule").knows_the_end;
}

/// What a resumed run changes that it must not.
Json forbidden_changes(const Json& before, const Json& resolved) {
    Json old = without_free_settings(before), now = without_free_settings(resolved);
    if (old.contains("train") && now.contains("train") && may_go_on(old["train"], now["train"])) {
        old["train"].erase("epochs");
        now["train"].erase("epochs");
    }
    return Json::diff(old, now);
}

/// "train.lr" of a change at "/train/lr".
std::string key_of(const Json& change) {
    auto key = change.value("path", "").substr(1);
    std::ranges::replace(key, '/', '.');
    return key;
}

/// The value there, for a message.
std::string shown(const Json& experiment, const Json::json_pointer& place) {
    if (!experiment.contains(place)) return "absent";
    const auto text = to_line(experiment.at(place));
    constexpr std::size_t longest = 80;
    return text.size() <= longest ? text : text.substr(0, longest) + "...";
}

}  // namespace

void require_settings(const RunFolder& folder, const Json& resolved) {
    const auto file = folder.experiment_file();
    const auto before = Fields(read_json(file), file.string()).object();
    for (const auto& change : forbidden_changes(before, resolved)) {
        const Json::json_pointer place(change.value("path", ""));
        const bool longer = key_of(change) == "train.epochs";
        fail(
            "{}: {} is not what the run was started with ({}, now {}); a run continues with its own "
            "settings{}; to train on from its weights with others, start a new run with --set train.init={}",
            file.string(), key_of(change), shown(before, place), shown(resolved, place),
            longer ? " (to more epochs where its schedule is constant or step)" : "", folder.path().string());
    }
}

void require_own(const Checkpoint& checkpoint, const Json& resolved, const std::string& where) {
    const auto& record = checkpoint.stl;
    if (!record.is_object() || !record.contains("experiment") || !record["experiment"].is_object()) return;
    for (const auto& change : forbidden_changes(record["experiment"], resolved)) {
        if (change.value("op", "") == "replace")
            fail("{}: belongs to a run with a different {}; to start from its weights, set train.init", where,
                 key_of(change));
    }
}

bool may_start_over(const RunFolder& folder) {
    const auto lines = folder.read_metrics();
    const auto epochs = std::ranges::count_if(lines, [](const Json& line) { return line.contains("steps"); });
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
