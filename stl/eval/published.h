// The published results (experiments/published.json), and which of them an experiment is to be compared with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/json.h"

namespace stl {

/// The folder of the experiment files: ./experiments, or that of the source tree or installation that this
/// program belongs to. Nullopt if there is none.
std::optional<fs::path> experiments_folder();

class Published {
  public:
    /// Error if the file is not JSON of the form {data set: {epochs: {translator: {metric: number}}}}.
    static Published read(const fs::path& file);

    std::vector<std::string> datasets() const;
    std::vector<std::int64_t> epochs(const std::string& dataset) const;
    /// In the order of the table.
    std::vector<std::string> translators(const std::string& dataset, std::int64_t epochs) const;
    /// "params_M", "flops_G", "fps_v100" and the keys of those metrics that were published; null if not published.
    Json row(const std::string& dataset, std::int64_t epochs, const std::string& translator) const;

  private:
    explicit Published(Json table) : table_(std::move(table)) {}
    Json table_;
};

/// True if `experiment` (complete, as in a run's folder) is the benchmark's: data set and model are those of
/// experiments/<dataset>/<translator>.json. Its length and training settings may differ.
bool is_benchmark(const Json& experiment, const fs::path& experiments);

/// The published row of a benchmark experiment of a published length, with "epochs" added; null otherwise.
Json published_row(const Json& experiment, const fs::path& experiments);

}  // namespace stl
