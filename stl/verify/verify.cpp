#include "stl/verify/verify.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/run/run_folder.h"
#include "stl/run/settings.h"
#include "stl/train/data_record.h"
#include "stl/train/resume.h"
#include "stl/verify/files.h"

namespace stl {
namespace {

/// Files in a folder, in the order of their names.
std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code ec;
    for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec)) {
        if (entry->is_regular_file(ec) && !entry->path().filename().string().starts_with('.'))
            files.push_back(entry->path());
    }
    std::ranges::sort(files);
    return files;
}

bool is_damaged(const Verdict& verdict) {
    return verdict.condition == Condition::damaged;
}

/// experiment.json has no digest of its own: every checkpoint holds what it was trained with.
void check_experiment(Verdict& verdict, const Checkpoint& checkpoint, const fs::path& file) {
    const auto recorded = value_of(checkpoint.stl, "experiment");
    if (is_damaged(verdict) || !recorded.is_object()) return;
    const auto changes = setting_changes(recorded, read_json(verdict.file), Compared::earlier);
    if (changes.empty()) {
        verdict.condition = Condition::whole;
        verdict.text = fmt::format("experiment, as in {}", file.filename().string());
        return;
    }
    const auto& [key, was, is] = changes.front();
    verdict.condition = Condition::damaged;
    verdict.text = fmt::format("{} is {}, in {} it is {}", key, is, file.filename().string(), was);
    verdict.usable = "the checkpoint holds the experiment that it was trained with";
}

/// Lines have checks of their own; whether all are there, the checkpoint knows.
void check_log(Verdict& verdict, const Checkpoint& checkpoint) {
    if (is_damaged(verdict)) return;
    const auto log = read_metrics_file(verdict.file);
    auto difference = log_difference(log, checkpoint);
    if (difference.empty()) return;
    verdict.condition = Condition::damaged;
    verdict.text = std::move(difference);
    verdict.usable = fmt::format("its {} can be read", counted(std::ssize(log.lines), "line"));
}

/// The files that the run was trained on, by the digests in run.json.
void verify_data(const RunFolder& run, std::vector<Verdict>& verdicts) {
    const auto record = stored_data_record(run);
    for (const auto& file : recorded_files(record)) {
        if (!fs::exists(file)) {
            verdicts.push_back({file, Condition::damaged, "trained on, missing"});
            continue;
        }
        const auto line = file_difference(record, file);
        verdicts.push_back(line.empty()
                               ? Verdict{file, Condition::whole, "trained on, a sample of it is as it was"}
                               : Verdict{file, Condition::damaged, "other contents than it was trained on"});
    }
}

/// What --resume would do, for people.
std::string usable_text(const RunFolder& run, const std::vector<Verdict>& verdicts,
                        const std::optional<LastCheckpoint>& newest) {
    if (newest) return fmt::format("the run can be continued from {}", newest->path.string());
    const auto best = std::ranges::find(verdicts, run.checkpoint("best"), &Verdict::file);
    if (best != verdicts.end() && !is_damaged(*best))
        return fmt::format("the run cannot be continued; {} can be evaluated", best->file.string());
    return "no checkpoint can be used";
}

std::optional<LastCheckpoint> newest_of(const RunFolder& run) {
    try {
        Reporter silent;
        return newest_checkpoint(run, silent);
    } catch (const Error&) {  // all are damaged
        return std::nullopt;
    }
}

std::vector<Verdict> verify_run(const fs::path& path, Reporter& reporter, const StopRequested& stop) {
    const auto run = RunFolder::open(path);
    std::vector<Verdict> verdicts;
    for (const auto& folder : {path, path / "checkpoints", path / "samples"}) {
        for (const auto& file : files_in(folder)) {
            if (auto verdict = verify_file(file, reporter, stop)) verdicts.push_back(std::move(*verdict));
        }
    }
    const auto newest = newest_of(run);
    if (newest) {
        const auto experiment = std::ranges::find(verdicts, run.experiment_file(), &Verdict::file);
        if (experiment != verdicts.end()) check_experiment(*experiment, newest->checkpoint, newest->path);
        const auto log = std::ranges::find(verdicts, run.metrics_file(), &Verdict::file);
        if (log != verdicts.end()) check_log(*log, newest->checkpoint);
    }
    verify_data(run, verdicts);
    const bool bad = std::ranges::any_of(verdicts, is_damaged);
    Verdict whole{path, Condition::whole, fmt::format("run, {}", counted(std::ssize(verdicts), "file"))};
    whole.usable = usable_text(run, verdicts, newest);
    if (bad) whole.condition = Condition::damaged;
    verdicts.push_back(std::move(whole));
    return verdicts;
}

}  // namespace

Json Verdict::to_json() const {
    Json json{{"file", file.string()}, {"condition", name_of(condition)}, {"text", text}};
    if (!usable.empty()) json["usable"] = usable;
    return json;
}

std::vector<Verdict> verify(const fs::path& path, Reporter& reporter, const StopRequested& stop) {
    if (fs::is_directory(path)) return verify_run(path, reporter, stop);
    if (auto verdict = verify_file(path, reporter, stop)) return {std::move(*verdict)};
    fail(
        "{}: not a kind of file that has digests, expected a run, a checkpoint, a file of sequences or one "
        "of a run's",
        path.string());
}

}  // namespace stl
