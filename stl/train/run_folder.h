// A run's folder: experiment.json, run.json, metrics.jsonl, checkpoints/{last,best}.pth, TensorBoard events,
// evaluation.json, samples/, report.html (docs/files.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stl/core/json.h"

namespace stl {

class RunFolder {
  public:
    /// Makes a new one. Error if something is there already; with `force` an earlier run is removed first
    /// (anything that is no run is refused even so).
    static RunFolder create(const fs::path& path, bool force);
    /// Opens one that is there. Error if it is none.
    static RunFolder open(const fs::path& path);
    /// True if `path` holds an experiment.json.
    static bool is_run(const fs::path& path);

    const fs::path& path() const { return path_; }
    fs::path experiment_file() const { return path_ / "experiment.json"; }
    fs::path run_file() const { return path_ / "run.json"; }
    fs::path metrics_file() const { return path_ / "metrics.jsonl"; }
    fs::path evaluation_file() const { return path_ / "evaluation.json"; }
    /// "last" or "best".
    fs::path checkpoint(const std::string& which) const { return path_ / "checkpoints" / (which + ".pth"); }

    void append_metrics(const Json& line) const;
    /// Drops the lines after `step`: what a run wrote that stopped later than its last checkpoint.
    void drop_metrics_after(std::int64_t step) const;
    std::vector<Json> read_metrics() const;

  private:
    explicit RunFolder(fs::path path) : path_(std::move(path)) {}
    fs::path path_;
};

}  // namespace stl
