#include "stl/report/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "stl/core/error.h"
#include "stl/data/registry.h"
#include "stl/models/complexity.h"
#include "stl/models/registry.h"
#include "stl/run/experiment.h"

namespace stl {
namespace {

/// A record's number, also inside an object; absent where it has none.
std::optional<double> number_at(const Json& json, const std::string& key) {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_number()) return std::nullopt;
    return it->get<double>();
}

std::optional<Figure> mean_of(const std::vector<double>& values) {
    if (values.empty()) return std::nullopt;
    const auto n = static_cast<double>(values.size());
    Figure figure;
    for (const double v : values) figure.mean += v / n;
    if (values.size() > 1) {
        double squares = 0;
        for (const double v : values) squares += (v - figure.mean) * (v - figure.mean);
        figure.deviation = std::sqrt(squares / (n - 1));
    }
    return figure;
}

/// What makes records comparable, and how a table's title says it.
struct Conditions {
    std::string key, text;
    std::int64_t epochs = 0;
    bool benchmark = false;
};

std::string length_text(const Json& train) {
    if (train.contains("steps")) return train["steps"].dump() + " steps";
    return train.value("epochs", Json(0)).dump() + " epochs";
}

Conditions conditions_of(const Record& record, const fs::path& experiments) {
    const auto& experiment = record.document["experiment"];
    const auto train = experiment.value("train", Json::object());
    Conditions s;
    s.text = length_text(train);
    s.epochs = train.contains("steps") ? 0 : train.value("epochs", std::int64_t{0});
    const bool sums = record.document.value("spatial_norm", Json()) != Json(true);
    s.benchmark = record.document["ssim_mode"] == "openstl" && sums && is_benchmark(experiment, experiments);
    if (s.benchmark) {
        s.key = s.text;
        return s;
    }
    auto model = experiment["model"];
    for (const char* key : {"translator", "drop", "drop_path", "drop_path_first"}) model.erase(key);
    const auto& dataset = experiment["dataset"];
    for (const char* key : {"hid_S", "hid_T", "N_S", "N_T", "mlp_ratio"}) {
        if (model.contains(key)) s.text += fmt::format(", {} {}", key, model[key].dump());
    }
    if (train.contains("batch_size")) s.text += ", batch " + train["batch_size"].dump();
    if (dataset.contains("train_sequences")) {
        const auto& count = dataset["train_sequences"];
        s.text += fmt::format(", {} sequence{} an epoch", count.dump(), count == 1 ? "" : "s");
    }
    s.text += fmt::format(", SSIM {}", record.document["ssim_mode"].get<std::string>());
    if (!sums) s.text += fmt::format(", {} per value", metric_titles(&Metric::summed));
    s.key = "~" + s.text + model.dump() + dataset.dump();
    return s;
}

std::size_t place_of(const std::string& translator) {
    const auto& list = translators();
    return static_cast<std::size_t>(std::ranges::find(list, translator, &TranslatorInfo::name) -
                                    list.begin());
}

void add_once(std::vector<std::string>& list, const std::string& text) {
    if (std::ranges::find(list, text) == list.end()) list.push_back(text);
}

ReportRow& row_of(ReportTable& table, const std::string& translator) {
    auto it = std::ranges::find(table.rows, translator, &ReportRow::translator);
    if (it != table.rows.end()) return *it;
    table.rows.emplace_back();
    table.rows.back().translator = translator;
    return table.rows.back();
}

void add_record(ReportTable& table, const Record& record) {
    const auto& document = record.document;
    auto& row = row_of(table, document["translator"]);
    row.records.push_back(&record);
    if (const auto n = number_at(document, "parameters")) row.parameters = static_cast<std::int64_t>(*n);
    if (const auto n = number_at(document, "macs")) row.macs = static_cast<std::int64_t>(*n);
    add_once(table.test_sets, document["test_set"]);
    add_once(table.ssim_modes, document["ssim_mode"]);
}

/// Our network's costs where no record has them: from its experiment file.
void add_cost(ReportRow& row, const fs::path& file) {
    if (row.parameters || !fs::exists(file)) return;
    try {
        const auto experiment = load_experiment(file);
        const auto cost =
            model_cost(SimVPImpl(experiment.model_for(dataset_shape(experiment.dataset)), Weights::unset));
        row.parameters = cost.parameters;
        row.macs = cost.macs;
    } catch (const Error&) {
        // The frame size of a missing data set is not known; the column stays empty.
    }
}

ReportTable published_table(const Published& published, const std::string& dataset, std::int64_t epochs) {
    ReportTable table;
    table.dataset = dataset;
    table.setting = fmt::format("{} epochs", epochs);
    table.benchmark = true;
    for (const auto& translator : published.translators(dataset, epochs)) {
        row_of(table, translator).published = published.row(dataset, epochs, translator);
    }
    return table;
}

}  // namespace

std::optional<Figure> ReportRow::figure(const std::string& key) const {
    std::vector<double> values;
    for (const auto* record : records) {
        if (const auto value = number_at(record->document, key)) values.push_back(*value);
    }
    return mean_of(values);
}

std::optional<double> ReportRow::published_value(const std::string& key) const {
    return published.is_object() ? number_at(published, key) : std::nullopt;
}

std::optional<double> ReportRow::difference(const std::string& key) const {
    const auto ours = figure(key);
    const auto theirs = published_value(key);
    if (!ours || !theirs || *theirs == 0) return std::nullopt;
    return (ours->mean - *theirs) / *theirs;
}

std::optional<Figure> ReportRow::throughput() const {
    return figure("sequences_per_second");
}

std::string ReportRow::device() const {
    std::vector<std::string> devices;
    for (const auto* record : records) {
        if (record->document.value("device", Json()).is_string())
            add_once(devices, record->document["device"]);
    }
    return fmt::format("{}", fmt::join(devices, ", "));
}

std::vector<Metric> ReportTable::columns() const {
    std::vector<Metric> shown;
    for (const auto& column : metric_list()) {
        if (std::ranges::any_of(rows, [&](const ReportRow& row) {
                return row.figure(column.key) || row.published_value(column.key);
            })) {
            shown.push_back(column);
        }
    }
    return shown;
}

std::optional<double> ReportTable::best(const Metric& column, bool of_published) const {
    std::optional<double> best;
    for (const auto& row : rows) {
        const auto ours = row.figure(column.key);
        const auto value = of_published ? row.published_value(column.key)
                           : ours       ? std::optional(ours->mean)
                                        : std::nullopt;
        if (!value) continue;
        if (!best || is_better(column, *value, *best)) best = value;
    }
    return best;
}

std::vector<ReportTable> make_tables(const std::vector<Record>& records, const fs::path& experiments,
                                     const std::string& dataset) {
    const auto published = Published::read(experiments / "published.json");
    std::vector<ReportTable> tables;
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    for (const auto& name : published.datasets()) {
        if (!dataset.empty() && dataset != name) continue;
        for (const auto epochs : published.epochs(name)) {
            places[{name, fmt::format("{} epochs", epochs)}] = tables.size();
            tables.push_back(published_table(published, name, epochs));
        }
    }
    for (const auto& record : records) {
        const auto name = record.document["dataset"].get<std::string>();
        if (!dataset.empty() && dataset != name) continue;
        const auto setting = conditions_of(record, experiments);
        const auto [it, fresh] = places.try_emplace({name, setting.key}, tables.size());
        if (fresh) {
            tables.emplace_back();
            tables.back().dataset = name;
            tables.back().setting = setting.text;
            tables.back().benchmark = setting.benchmark;
        }
        add_record(tables[it->second], record);
    }
    for (auto& table : tables) {
        std::ranges::stable_sort(table.rows, {},
                                 [](const ReportRow& row) { return place_of(row.translator); });
        if (!table.benchmark) continue;
        for (auto& row : table.rows) add_cost(row, experiments / table.dataset / (row.translator + ".json"));
    }
    if (tables.empty() && !dataset.empty()) {
        fail("data set '{}': no published results and no records (data sets with results: {})", dataset,
             fmt::join(published.datasets(), ", "));
    }
    return tables;
}

void keep_recorded(std::vector<ReportTable>& tables) {
    std::erase_if(tables, [](const ReportTable& table) {
        return std::ranges::all_of(table.rows, [](const ReportRow& row) { return row.records.empty(); });
    });
}

}  // namespace stl
