// A run's folder: experiment.json, run.json, metrics.jsonl, checkpoints/{last,best}.pth, TensorBoard events,
// evaluation.json, samples/, report.html (docs/files.md). A process that trains in it holds a lock on the file .lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/file_lock.h"
#include "stl/core/json.h"

namespace stl {

/// The lines of a metrics.jsonl.
struct Metrics {
    fs::path file;
    std::vector<Json> lines{};
    std::vector<std::int64_t> damaged{};  ///< the numbers, from 1, of lines that are left out
    std::int64_t unchecked = 0;           ///< lines without a check, as earlier versions wrote them
    std::uint64_t bytes = 0;              ///< of the file, without a last line that a kill cut short

    /// "RUN/metrics.jsonl: line 12 is damaged and left out"; empty where none is.
    std::string damage() const;
};
/// A last line that a process began to write when it was killed is left out, and not called damaged. Error: it cannot
/// be read.
Metrics read_metrics_file(const fs::path& file);

class RunFolder {
  public:
    /// Creates a new run to train in. Error if `path` already contains something (other than hidden files and an empty
    /// checkpoints/, which a killed process may have left). With `force`, an earlier run there is removed first, but
    /// anything that is not a run is still refused, as is a run that is being trained or cannot be removed; these
    /// are left unchanged.
    static RunFolder create(const fs::path& path, bool force);
    /// Opens an existing run, to read it or to add to it. Error if `path` is not a run.
    static RunFolder open(const fs::path& path);
    /// Opens a run to continue training it, and removes what a killed process left half written. Error if `path` is
    /// not a run, or is being trained.
    static RunFolder go_on(const fs::path& path);
    /// Throws the errors of go_on() (if `resume` and the run exists) or of create() in advance, without changing
    /// anything.
    static void require_available(const fs::path& path, bool resume, bool force);
    /// True if `path` holds an experiment.json.
    static bool is_run(const fs::path& path);

    const fs::path& path() const { return path_; }
    /// The folder's own name, also for "runs/a/" and ".".
    std::string name() const;
    fs::path experiment_file() const { return path_ / "experiment.json"; }
    fs::path run_file() const { return path_ / "run.json"; }
    fs::path metrics_file() const { return path_ / "metrics.jsonl"; }
    fs::path evaluation_file() const { return path_ / "evaluation.json"; }
    /// "last" or "best".
    fs::path checkpoint(const std::string& which) const { return path_ / "checkpoints" / (which + ".pth"); }
    /// The same. Error: it does not exist.
    fs::path existing_checkpoint(const std::string& which) const;
    /// The last checkpoint and the ones before it (last.1, last.2, ...), as many as there are, newest first.
    std::vector<fs::path> last_checkpoints() const;
    /// write() replaces the last checkpoint atomically (AtomicFile); the previous one becomes last.1, last.1 becomes
    /// last.2 and so on, `keep` in all. What is written, the log before it included, has reached the disk when this
    /// returns. If write() throws, all checkpoints stay as they were. Error: the folder is no longer this run's
    /// (require_own()).
    void replace_last(std::int64_t keep, const std::function<void()>& write);

    /// run.json; nothing where it is missing.
    std::optional<Json> run_record() const;

    /// Of a folder that is trained in. Error: it was removed or replaced meanwhile, or another process has taken its
    /// lock after the lock's file was removed. A lock that was removed and nothing more is taken again.
    void require_own();

    /// With a check, by which read_metrics() finds damage; other programs see one key more.
    void append_metrics(const Json& line) const;
    /// No lines where the file is missing. Error: it cannot be read.
    Metrics read_metrics() const;
    /// Keeps those of the lines that were read that are not after `step`: the others a run wrote between its last
    /// checkpoint and its end. With `epoch_too`, also drops the line of the epoch that ends with `step`, which will be
    /// written again.
    void drop_metrics_after(const Metrics& read, std::int64_t step, bool epoch_too = false) const;

  private:
    explicit RunFolder(fs::path path) : path_(std::move(path)) {}
    /// Error if another process has the lock.
    void lock();
    /// Error: it was removed or replaced since it was locked.
    void require_there() const;
    /// What a killed process left.
    void remove_half_written() const;

    fs::path path_;
    std::optional<FileIdentity> identity_;  ///< of the folder, when it was locked
    std::shared_ptr<const FileLock> lock_;  ///< null: not opened for training
};

/// For a run folder, its checkpoint `which` ("last" or "best"); for a checkpoint file, `source` itself.
/// Error: the folder is not a run or has no such checkpoint; `which` is not "last" for a file.
fs::path checkpoint_of(const fs::path& source, const std::string& which);

}  // namespace stl
