#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/eval/trivial.h"
#include "stl/report/cells.h"
#include "stl/report/report.h"
#include "stl/report/svg_plot.h"

namespace stl {
namespace {

constexpr const char* style_sheet = R"(
:root { color-scheme: light dark; --back: #ffffff; --text: #1c1f23; --soft: #626a73; --rule: #dde1e6; --card: #f6f7f9; --tone: 42%; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --text: #e6e8ea; --soft: #9aa3ad; --rule: #323840; --card: #1c2024; --tone: 66%; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .3rem; }
p { margin: .3rem 0; color: var(--soft); overflow-wrap: anywhere; }
.wide { overflow-x: auto; border: 1px solid var(--rule); border-radius: 6px; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); vertical-align: top; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--back); }
tr:last-child td { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 600; }
td small { display: block; color: var(--soft); font-size: .8em; }
b { font-weight: 700; } .missing { color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); gap: .8rem; }
.plots figure { margin: 0; background: var(--card); border-radius: 6px; padding: .4rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .title { fill: var(--text); font-size: 13px; font-weight: 600; }
.grid { stroke: var(--rule); stroke-width: .6; } .frame { fill: none; stroke: var(--rule); }
.line { fill: none; stroke: var(--c); stroke-width: 1.7; stroke-linejoin: round; }
.dot { fill: var(--c); } .hollow { fill: none; stroke: var(--c); stroke-width: 1.8; }
.hit { fill: transparent; cursor: pointer; } .hit:hover, .hit:focus { fill: var(--c); fill-opacity: .25; outline: none; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .5rem 0; padding: 0; list-style: none; color: var(--soft); }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .35em; background: var(--c); }
#tip { position: fixed; pointer-events: none; background: var(--text); color: var(--back); padding: .25rem .5rem;
  border-radius: 4px; font-size: 13px; white-space: pre; display: none; z-index: 2; }
)";

// The hover box; without scripts the page loses nothing else.
constexpr const char* script = R"(
const tip = document.getElementById('tip');
const show = (e) => {
  const text = e.target.dataset && e.target.dataset.tip;
  if (!text) { tip.style.display = 'none'; return; }
  tip.textContent = text; tip.style.display = 'block';
  const at = e.target.getBoundingClientRect(), box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(at.left + 14, innerWidth - box.width - 4)) + 'px';
  tip.style.top = Math.max(4, at.top - box.height - 4) + 'px';
};
for (const kind of ['pointerover', 'focusin', 'click']) document.addEventListener(kind, show);
)";

std::string emphasized(const std::string& text, bool best) {
    return best ? "<b>" + text + "</b>" : text;
}
const std::string missing_cell = R"(<span class="missing">–</span>)";

/// Ours above, what was published and the difference below.
std::string metric_cell(const ReportTable& table, const ReportRow& row, const Metric& column) {
    const auto ours = row.figure(column.key);
    const auto theirs = row.published_value(column.key);
    auto cell =
        ours ? our_figure(table, column, *ours, emphasized) + difference_text(row, column) : missing_cell;
    if (theirs) cell += "<small>" + published_figure(table, column, *theirs, emphasized) + "</small>";
    return "<td>" + cell + "</td>";
}

std::string cost_cell(std::optional<double> published, std::optional<std::int64_t> ours, double unit) {
    std::string cell = ours ? shown(static_cast<double>(*ours) / unit, 2) : missing_cell;
    if (published) cell += fmt::format("<small>{}</small>", *published);
    return "<td>" + cell + "</td>";
}

std::string throughput_cell(const ReportRow& row) {
    const auto rate = row.throughput();
    std::string cell =
        rate ? fmt::format("{:.3g} <small>{}</small>", rate->mean, html_text(row.device())) : missing_cell;
    return "<td>" + cell + "</td>";
}

std::string table_html(const ReportTable& table) {
    const auto columns = table.columns();
    std::string out =
        R"(<div class="wide"><table><thead><tr><th>translator</th><th>Params (M)</th><th>FLOPs (G)</th>)"
        R"(<th>sequences/s</th>)";
    for (const auto& column : columns)
        out += fmt::format("<th>{} {}</th>", column.title, column.better == Better::smaller ? "↓" : "↑");
    out += "</tr></thead><tbody>";
    for (const auto& row : table.rows) {
        out += fmt::format(
            "<tr><td>{}{}</td>", html_text(row.translator),
            row.records.size() > 1 ? fmt::format("<small>{} seeds</small>", row.records.size()) : "");
        out += cost_cell(row.published_value("params_M"), row.parameters, 1e6);
        out += cost_cell(row.published_value("flops_G"), row.macs, 1e9);
        out += throughput_cell(row);
        for (const auto& column : columns) out += metric_cell(table, row, column);
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

std::vector<double> per_frame(const Record& record, const std::string& key) {
    const auto& frames = record.document["per_frame"];
    if (!frames.contains(key)) return {};
    std::vector<double> values;
    for (const auto& value : frames[key])
        values.push_back(value.is_number() ? value.get<double>() : std::nan(""));
    return values;
}

/// A line per record: the metric of each predicted frame.
Plot frames_plot(const ReportTable& table, const Metric& column) {
    Plot plot{column.title + " of each predicted frame", "frame", column.title};
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        for (const auto* record : table.rows[i].records) {
            PlotSeries series{table.rows[i].translator, i};
            const auto values = per_frame(*record, column.key);
            for (std::size_t t = 0; t < values.size(); ++t) {
                series.points.push_back(
                    {static_cast<double>(t + 1), values[t],
                     fmt::format("{}\nframe {}: {} {:.5g}", record->name, t + 1, column.title, values[t])});
            }
            plot.series.push_back(std::move(series));
        }
    }
    return plot;
}

struct CostAxis {
    const char *label, *published_key;
    double unit;
    std::optional<double> (*ours)(const ReportRow&);
};

const std::vector<CostAxis>& cost_axes() {
    static const std::vector<CostAxis> axes{
        {"parameters (M)", "params_M", 1.0,
         [](const ReportRow& r) {
             return r.parameters ? std::optional(static_cast<double>(*r.parameters) / 1e6) : std::nullopt;
         }},
        {"multiply-adds (G)", "flops_G", 1.0,
         [](const ReportRow& r) {
             return r.macs ? std::optional(static_cast<double>(*r.macs) / 1e9) : std::nullopt;
         }},
        {"sequences per second (published: V100)", "fps_v100", 1.0,
         [](const ReportRow& r) {
             return r.throughput() ? std::optional(r.throughput()->mean) : std::nullopt;
         }},
    };
    return axes;
}

/// Published rows as rings, ours as dots.
Plot cost_plot(const ReportTable& table, const CostAxis& axis) {
    const auto& metric = leading_metric();
    Plot plot{fmt::format("{} against {}", metric.title, axis.label), axis.label, metric.title,
              /*log_x=*/true};
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const auto& row = table.rows[i];
        const auto add = [&](std::optional<double> x, std::optional<double> y, bool published) {
            if (!x || !y) return;
            const auto tip = fmt::format("{}{}\n{} {:.5g}\n{}: {:.4g}", row.translator,
                                         published ? ", published" : "", metric.title, *y, axis.label, *x);
            plot.series.push_back({row.translator, i, /*line=*/false, published, {{*x, *y, tip}}});
        };
        add(row.published_value(axis.published_key), row.published_value(metric.key), true);
        const auto ours = row.figure(metric.key);
        add(axis.ours(row), ours ? std::optional(ours->mean) : std::nullopt, false);
    }
    return plot;
}

std::string figure_html(const Plot& plot) {
    const auto svg = svg_plot(plot);
    return svg.empty() ? "" : "<figure>" + svg + "</figure>\n";
}

std::string legend(const std::vector<std::string>& names) {
    std::string out = R"(<ul class="legend">)";
    for (std::size_t i = 0; i < names.size(); ++i) {
        out += fmt::format(R"(<li style="--c:{}"><i></i>{}</li>)", plot_color(i), html_text(names[i]));
    }
    return out + "</ul>\n";
}

/// What a record says it is made with, in one sentence.
std::string measured_text(const Record& record) {
    const auto& d = record.document;
    const auto text = [&](const char* key) {
        const auto found = d.find(key);
        if (found == d.end() || found->is_null()) return std::string("not recorded");
        return found->is_string() ? found->get<std::string>() : found->dump();
    };
    std::string out =
        fmt::format("{}: the weights '{}' after epoch {}; {} frames predicted from {}", record.name,
                    text("weights"), text("epoch"), text("output_frames"), text("input_frames"));
    out += fmt::format("; computed in {} on {}; test set: {}", text("precision"), text("device"),
                       text("test_set"));
    const Json::json_pointer place("/experiment/dataset");
    const Json dataset = d.contains(place) ? d.at(place) : Json::object();
    if (dataset.contains("mean") && dataset.contains("std")) {
        out += fmt::format("; the network sees (value - {}) / {}", dataset["mean"].dump(),
                           dataset["std"].dump());
    }
    if (d.contains("range")) out += "; black and white: " + d["range"].dump();
    return out + ".";
}

/// The network beside what predicts without having learned anything.
std::string baselines_html(const Record& record) {
    const auto& d = record.document;
    const auto baselines = d.value("baselines", Json::object());
    if (baselines.empty()) return "";
    std::vector<std::pair<std::string, const Json*>> rows{{d["translator"].get<std::string>(), &d}};
    for (const auto& trivial : trivial_predictors()) {
        if (baselines.contains(trivial.name)) rows.emplace_back(trivial.help, &baselines[trivial.name]);
    }
    std::string out = R"(<div class="wide"><table><thead><tr><th>predictor</th>)";
    for (const auto& metric : metric_list())
        if (d.contains(metric.key)) out += fmt::format("<th>{}</th>", metric.title);
    out += "</tr></thead><tbody>";
    const auto& leading = leading_metric();
    std::vector<std::string> unbeaten;
    for (const auto& [name, values] : rows) {
        out += "<tr><td>" + html_text(name) + "</td>";
        for (const auto& metric : metric_list()) {
            if (!d.contains(metric.key)) continue;
            const auto value = values->value(metric.key, Json());
            out += "<td>" + (value.is_number() ? shown(value.get<double>(), metric.digits) : missing_cell) +
                   "</td>";
        }
        out += "</tr>\n";
        const auto ours = d.value(leading.key, Json()), theirs = values->value(leading.key, Json());
        if (values != &d && ours.is_number() && theirs.is_number() &&
            !is_better(leading, ours.get<double>(), theirs.get<double>()))
            unbeaten.push_back(name);
    }
    out += "</tbody></table></div>\n";
    if (!unbeaten.empty())
        out += fmt::format("<p>The network does not beat: {}.</p>\n",
                           html_text(fmt::format("{}", fmt::join(unbeaten, ", "))));
    return out;
}

std::string section(const ReportTable& table) {
    auto out = fmt::format("<section><h2>{}, {}</h2>\n", html_text(table.dataset), html_text(table.setting));
    if (!table.test_sets.empty()) {
        out += fmt::format("<p>Test set: {}. SSIM: {}.</p>\n",
                           html_text(fmt::format("{}", fmt::join(table.test_sets, "; "))),
                           fmt::join(table.ssim_modes, ", "));
    }
    out += table_html(table);
    for (const auto& row : table.rows) {
        for (const auto* record : row.records)
            out += "<p>" + html_text(measured_text(*record)) + "</p>\n" + baselines_html(*record);
    }
    std::string plots;
    for (const auto& column : table.columns()) plots += figure_html(frames_plot(table, column));
    for (const auto& axis : cost_axes()) plots += figure_html(cost_plot(table, axis));
    std::vector<std::string> names;
    for (const auto& row : table.rows) names.push_back(row.translator);
    if (!plots.empty()) out += legend(names) + R"(<div class="plots">)" + plots + "</div>\n";
    return out + "</section>\n";
}

/// At most about `most` points, each the mean of its neighbours.
std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points, std::size_t most) {
    const auto each = (points.size() + most - 1) / most;
    if (each <= 1) return points;
    std::vector<PlotPoint> out;
    for (std::size_t i = 0; i < points.size(); i += each) {
        const auto n = std::min(each, points.size() - i);
        PlotPoint mean;
        for (std::size_t k = i; k < i + n; ++k) {
            mean.x += points[k].x / static_cast<double>(n);
            mean.y += points[k].y / static_cast<double>(n);
        }
        out.push_back(mean);
    }
    return out;
}

/// One value of each line that has it, over `x_key`.
std::vector<PlotPoint> line_points(const LearningCurve& curve, const std::string& x_key,
                                   const std::string& key) {
    std::vector<PlotPoint> points;
    for (const auto& line : curve.lines) {
        if (!line.contains(key) || !line[key].is_number() || !line.value(x_key, Json()).is_number()) continue;
        points.push_back({line[x_key].get<double>(), line[key].get<double>(), ""});
    }
    return points;
}

struct CurveKind {
    std::string key, title, x_key, y_label;
    bool log_y;
};

std::string curves_section(const std::vector<LearningCurve>& curves) {
    if (curves.empty()) return {};
    std::string out = "<section><h2>Learning curves</h2>\n";
    std::vector<std::string> names;
    for (const auto& curve : curves) names.push_back(curve.name);
    out += legend(names) + R"(<div class="plots">)";
    const auto& metric = leading_metric();
    for (const CurveKind& kind :
         {CurveKind{"loss", "Training loss", "step", "loss", true},
          CurveKind{"lr", "Learning rate", "step", "rate", false},
          CurveKind{"val_loss", "Validation loss", "epoch", "loss", true},
          CurveKind{metric.key, "Validation " + metric.title, "epoch", metric.title, false}}) {
        Plot plot{kind.title, kind.x_key, kind.y_label, false, kind.log_y};
        for (std::size_t i = 0; i < curves.size(); ++i) {
            PlotSeries series{curves[i].name, i};
            series.points = thinned(line_points(curves[i], kind.x_key, kind.key), 150);
            for (auto& p : series.points) {
                p.tip = fmt::format("{}\n{} {:.0f}: {:.4g}", curves[i].name, kind.x_key, p.x, p.y);
            }
            plot.series.push_back(std::move(series));
        }
        out += figure_html(plot);
    }
    return out + "</div></section>\n";
}

}  // namespace

std::string report_html(const std::vector<ReportTable>& tables, const std::vector<LearningCurve>& curves) {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<title>stl report</title><style>";
    out += style_sheet;
    out += "</style></head><body>\n<h1>Results</h1>\n";
    out += fmt::format(
        "<p>Reproduced results above, published ones small below; best in bold; –: missing. {}: "
        "sums over a frame, mean over frames. What was measured stands below each table. Made by stl "
        "{}.</p>\n",
        metric_titles(&Metric::summed), html_text(version_and_revision()));
    out += curves_section(curves);
    for (const auto& table : tables) out += section(table);
    out += "<div id=\"tip\" role=\"status\"></div><script>";
    out += script;
    return out + "</script></body></html>\n";
}

}  // namespace stl
