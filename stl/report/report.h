// The tables: per data set and setting a row per translator, published figures beside reproduced ones.
//
// A setting is the data set, its frames, the length of training and the network's sizes; rows of one table
// compare. Runs of one setting and translator that differ in their seed share a row: mean and sample
// deviation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/json.h"
#include "stl/eval/published.h"
#include "stl/metrics/metric.h"

namespace stl {

/// One recorded run (stl/eval/record.h).
struct Record {
    std::string name;  ///< the file's or the run's
    Json document;
};

/// Every .json under `folder`, by name. Error naming the file that is not a record.
std::vector<Record> read_records(const fs::path& folder);
/// RUN/evaluation.json. Error: the run was not evaluated.
Record read_run_record(const fs::path& run);

/// Mean over seeds, and the sample deviation where there are several.
struct Figure {
    double mean = 0;
    std::optional<double> deviation;
};

struct ReportRow {
    std::string translator;
    Json published;  ///< or null
    std::vector<const Record*> records;
    std::optional<std::int64_t> parameters, macs;  ///< of our network

    std::optional<Figure> figure(const std::string& key) const;
    std::optional<double> published_value(const std::string& key) const;
    /// (ours - published) / published.
    std::optional<double> difference(const std::string& key) const;
    /// Sequences per second here, and on what; empty where nothing was recorded.
    std::optional<Figure> throughput() const;
    std::string device() const;
};

struct ReportTable {
    std::string dataset;
    std::string setting;  ///< "200 epochs", or of what sizes and length it is
    bool benchmark = false;
    std::vector<std::string> test_sets;  ///< that the figures come from
    std::vector<std::string> ssim_modes;
    std::vector<ReportRow> rows;

    std::vector<Metric> columns() const;  ///< those that some row has
    /// The best of a column among the published or the reproduced figures, as ReportRow gives them.
    std::optional<double> best(const Metric& column, bool published) const;
};

/// `experiments`: the folder with published.json. `dataset`: only this one, or "". Published tables without
/// any record are shown too: what is missing shows as missing. `records` must outlive the tables.
std::vector<ReportTable> make_tables(const std::vector<Record>& records, const fs::path& experiments,
                                     const std::string& dataset);

/// Leaves the tables that hold a record.
void keep_recorded(std::vector<ReportTable>& tables);

std::string report_markdown(const std::vector<ReportTable>& tables);
std::string report_csv(const std::vector<ReportTable>& tables);
Json report_json(const std::vector<ReportTable>& tables);

/// A run whose learning curve is shown: its name and the lines of its metrics.jsonl.
struct LearningCurve {
    std::string name;
    std::vector<Json> lines;
};
/// One self-contained page: tables and plots.
std::string report_html(const std::vector<ReportTable>& tables, const std::vector<LearningCurve>& curves);

}  // namespace stl
