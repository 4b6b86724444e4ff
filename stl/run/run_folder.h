// A run's folder: experiment.json, run.json, metrics.jsonl, checkpoints/{last,best}.pth, TensorBoard events,
// evaluation.json, samples/, report.html (docs/files.md). Who trains in it holds a lock on its file .lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"

namespace stl {

class RunFolder {
  public:
    /// Makes a new one to train in. Error if something is there already (but for hidden files and an empty
    /// checkpoints/, which a killed process may have left); with `force` an earlier run is removed first
    /// (anything that is no run is refused even so, and a run that is being trained or cannot be removed; it
    /// stays as it is).
    static RunFolder create(const fs::path& path, bool force);
    /// Opens one that is there, to read it or to add to it. Error if it is none.
    static RunFolder open(const fs::path& path);
    /// Opens one to go on training in it, and removes what a killed process left half written. Error if it is
    /// none, or is being trained.
    static RunFolder go_on(const fs::path& path);
    /// The errors of go_on() (to `resume` a run that exists) or create(), before anything is prepared; nothing is
    /// changed.
    static void require_available(const fs::path& path, bool resume, bool force);
    /// True if `path` holds an experiment.json.
    static bool is_run(const fs::path& path);

    const fs::path& path() const { return path_; }
    /// The folder's own name, of "runs/a/" and of "." too.
    std::string name() const;
    fs::path experiment_file() const { return path_ / "experiment.json"; }
    fs::path run_file() const { return path_ / "run.json"; }
    fs::path metrics_file() const { return path_ / "metrics.jsonl"; }
    fs::path evaluation_file() const { return path_ / "evaluation.json"; }
    /// "last" or "best".
    fs::path checkpoint(const std::string& which) const { return path_ / "checkpoints" / (which + ".pth"); }
    /// The same. Error: it is not there.
    fs::path existing_checkpoint(const std::string& which) const;
    /// The last checkpoint and the ones before it (last.1, last.2, ...), as many as there are, newest first.
    std::vector<fs::path> last_checkpoints() const;
    /// write() replaces the last checkpoint at once (AtomicFile); the one before becomes last.1, that one last.2 and so
    /// on, `keep` in all. What is written, the log before it included, has reached the disk when this returns. If
    /// write() throws, all checkpoints stay as they were.
    void replace_last(std::int64_t keep, const std::function<void()>& write) const;

    /// run.json; nothing where it is missing.
    std::optional<Json> run_record() const;

    void append_metrics(const Json& line) const;
    /// Drops the lines after `step`: what a run wrote that stopped later than its last checkpoint. With
    /// `epoch_too` also the line of the epoch that `step` ends, which is still to be written.
    void drop_metrics_after(std::int64_t step, bool epoch_too = false) const;
    /// Without lines that are none, as of a process that was killed while it wrote. Error: it cannot be read.
    std::vector<Json> read_metrics() const;

  private:
    explicit RunFolder(fs::path path) : path_(std::move(path)) {}
    /// Error if another process has the lock.
    void lock();
    /// What a killed process left; nothing without the lock.
    void remove_half_written() const;

    fs::path path_;
    std::shared_ptr<const FileLock> lock_;  ///< null: not opened for training
};

/// Of a run's folder its checkpoint `which` ("last" or "best"), else `source` itself, a checkpoint's file.
/// Error: a folder that is no run, or has no such checkpoint; another than the last of a file.
fs::path checkpoint_of(const fs::path& source, const std::string& which);

}  // namespace stl
