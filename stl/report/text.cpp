#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/report/cells.h"
#include "stl/report/report.h"

namespace stl {
namespace {

constexpr const char* missing_cell = "–";

std::string emphasized(const std::string& text, bool best) {
    return best ? "**" + text + "**" : text;
}

/// "25.57 → 26.01 ± 0.10 (+1.7 %)"; without a published column the figure alone.
std::string metric_cell(const ReportTable& table, const ReportRow& row, const Metric& column) {
    const auto ours = row.figure(column.key);
    const auto theirs = row.published_value(column.key);
    const auto reproduced = ours ? our_figure(table, column, *ours, emphasized) : missing_cell;
    if (!theirs) return reproduced;
    return published_figure(table, column, *theirs, emphasized) + " → " + reproduced +
           difference_text(row, column);
}

/// "46.8 → 46.84", in millions or 1e9.
std::string cost_cell(std::optional<double> published, std::optional<std::int64_t> ours, double unit) {
    const auto reproduced = ours ? shown(static_cast<double>(*ours) / unit, 2) : missing_cell;
    return published ? fmt::format("{} → {}", *published, reproduced) : reproduced;
}

std::string throughput_cell(const ReportRow& row) {
    const auto rate = row.throughput();
    if (!rate) return missing_cell;
    return fmt::format("{:.3g} ({})", rate->mean, row.device());
}

std::string best_cell(const ReportRow& row) {
    std::vector<std::string> values;
    for (const auto* record : row.records) {
        const auto best = record->document.find("best");
        if (best == record->document.end() || !best->is_object()) continue;
        const auto value = best->value(leading_metric().key, Json());
        if (value.is_number()) values.push_back(shown(value, leading_metric().digits));
    }
    return values.empty() ? missing_cell : fmt::format("{}", fmt::join(values, ", "));
}

bool has_published(const ReportTable& table) {
    for (const auto& row : table.rows) {
        if (row.published.is_object()) return true;
    }
    return false;
}

std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

template <class T>
std::string csv(const std::optional<T>& value) {
    return value ? fmt::format("{}", *value) : "";
}

template <class T>
Json json(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string report_markdown(const std::vector<ReportTable>& tables) {
    if (tables.empty()) return "No recorded run.\n";
    std::string text;
    for (const auto& table : tables) {
        const auto columns = table.columns();
        text += fmt::format("### {}, {}\n\n", table.dataset, table.setting);
        if (has_published(table)) text += "Published → reproduced (difference); missing: –.";
        if (!table.test_sets.empty()) {
            text += fmt::format("{}Test set: {}. SSIM: {}.", has_published(table) ? " " : "",
                                fmt::join(table.test_sets, "; "), fmt::join(table.ssim_modes, ", "));
        }
        text += "\n\n| translator | Params (M) | FLOPs (G) | sequences/s here |";
        std::string rule = "\n|---|---|---|---|";
        for (const auto& column : columns) {
            text += fmt::format(" {} |", column.title);
            rule += "---|";
        }
        text += fmt::format(" {} at best validation |{}---|\n", leading_metric().title, rule);
        for (const auto& row : table.rows) {
            text +=
                fmt::format("| {} | {} | {} | {} |", row.translator,
                            cost_cell(row.published_value("params_M"), row.parameters, 1e6),
                            cost_cell(row.published_value("flops_G"), row.macs, 1e9), throughput_cell(row));
            for (const auto& column : columns) text += fmt::format(" {} |", metric_cell(table, row, column));
            text += fmt::format(" {} |\n", best_cell(row));
        }
        text += "\n";
    }
    return text;
}

std::string report_csv(const std::vector<ReportTable>& tables) {
    std::string text =
        "dataset,setting,translator,seeds,params_M_published,parameters,flops_G_published,macs,"
        "sequences_per_second,device";
    for (const auto& c : metric_list()) {
        text += fmt::format(",{0}_published,{0},{0}_deviation,{0}_difference", c.key);
    }
    text += "\n";
    for (const auto& table : tables) {
        for (const auto& row : table.rows) {
            const auto rate = row.throughput();
            text += fmt::format("{},{},{},{},{},{},{},{},{},{}", quoted(table.dataset), quoted(table.setting),
                                row.translator, row.records.size(), csv(row.published_value("params_M")),
                                csv(row.parameters), csv(row.published_value("flops_G")), csv(row.macs),
                                rate ? fmt::format("{}", rate->mean) : "", quoted(row.device()));
            for (const auto& c : metric_list()) {
                const auto ours = row.figure(c.key);
                text += fmt::format(",{},{},{},{}", csv(row.published_value(c.key)),
                                    ours ? fmt::format("{}", ours->mean) : "",
                                    ours ? csv(ours->deviation) : "", csv(row.difference(c.key)));
            }
            text += "\n";
        }
    }
    return text;
}

Json report_json(const std::vector<ReportTable>& tables) {
    Json list = Json::array();
    for (const auto& table : tables) {
        Json rows = Json::array();
        for (const auto& row : table.rows) {
            const auto rate = row.throughput();
            Json entry = {{"translator", row.translator},
                          {"published", row.published},
                          {"parameters", json(row.parameters)},
                          {"macs", json(row.macs)},
                          {"sequences_per_second", rate ? Json(rate->mean) : Json(nullptr)},
                          {"device", row.device()},
                          {"reproduced", Json::object()},
                          {"records", Json::array()}};
            for (const auto& column : metric_list()) {
                const auto ours = row.figure(column.key);
                if (!ours) continue;
                entry["reproduced"][column.key] = {{"mean", ours->mean},
                                                   {"deviation", json(ours->deviation)},
                                                   {"difference", json(row.difference(column.key))}};
            }
            for (const auto* record : row.records) entry["records"].push_back(record->name);
            rows.push_back(std::move(entry));
        }
        list.push_back({{"dataset", table.dataset},
                        {"setting", table.setting},
                        {"benchmark", table.benchmark},
                        {"test_sets", table.test_sets},
                        {"ssim_modes", table.ssim_modes},
                        {"rows", rows}});
    }
    return {{"revision", revision()}, {"tables", list}};
}

}  // namespace stl
