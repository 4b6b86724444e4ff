// stl report: the tables of experiments/results beside the published ones, and runs' learning curves.

#include "stl/report/report.h"

#include <algorithm>
#include <map>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/run/run_folder.h"
#include "tools/stl/command.h"

namespace stl::tools {
namespace {

struct ReportArguments {
    std::vector<std::string> runs;
    std::string dataset, results, output;
    std::string format;
    bool recorded = false;
    bool force = false;
};

const std::map<std::string, std::string> format_of_extension{
    {".md", "md"}, {".html", "html"}, {".csv", "csv"}, {".json", "json"}};

/// As asked for, or as the output's name says, or Markdown.
std::string format_of(const ReportArguments& a) {
    if (!a.format.empty()) return a.format;
    const auto extension = lower_case(fs::path(a.output).extension().string());
    if (extension.empty()) return "md";
    const auto it = format_of_extension.find(extension);
    if (it == format_of_extension.end())
        fail("{}: expected a name with .md, .html, .csv or .json, or --format", a.output);
    return it->second;
}

void run_report(const ReportArguments& a, Console& console) {
    const auto format = format_of(a);
    if (!a.output.empty()) refuse_existing(a.output, a.force);
    const auto experiments = experiments_folder();
    if (!experiments) fail("experiments/published.json: not found in this folder or beside the program");
    if (!a.results.empty() && !fs::is_directory(a.results)) fail("--results {}: no such folder", a.results);
    auto records = read_records(a.results.empty() ? *experiments / "results" : fs::path(a.results));
    std::vector<LearningCurve> curves;
    for (const auto& run : a.runs) {
        const auto folder = RunFolder::open(run);
        auto metrics = folder.read_metrics();
        if (!metrics.damaged.empty()) console.warn(metrics.damage());
        curves.push_back({run, std::move(metrics.lines)});
        if (!fs::exists(folder.evaluation_file())) continue;
        auto record = read_run_record(run);
        const bool recorded = std::ranges::any_of(records, [&](const Record& other) {
            return other.document.value("checkpoint", "") == record.document.value("checkpoint", "");
        });
        if (!recorded) records.push_back(std::move(record));
    }
    auto tables = make_tables(records, *experiments, a.dataset);
    // Asked for runs alone: what has no figure of ours says nothing about them.
    if (a.recorded || (!a.runs.empty() && a.dataset.empty())) keep_recorded(tables);
    std::string text;
    if (format == "html") {
        text = report_html(tables, curves);
    } else if (format == "csv") {
        text = report_csv(tables);
    } else {
        text = format == "json" ? to_text(report_json(tables)) + "\n" : report_markdown(tables);
    }
    if (a.output.empty()) {
        if (text.ends_with('\n')) text.pop_back();
        console.print(text);
    } else {
        write_text(a.output, text, a.force);
        console.info(a.output + " written");
    }
}

}  // namespace

void add_report(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<ReportArguments>();
    auto& a = *arguments;
    auto* command =
        app.add_subcommand("report", "Print tables of recorded results next to the published ones");
    command->add_option("RUN", a.runs,
                        "run folders whose evaluations and learning curves (html only) are also shown");
    begin_group(*command, "Input");
    command->add_option("--dataset", a.dataset, "show only this data set");
    command->add_option("--results", a.results, "folder of the records (default: experiments/results)");
    command->add_flag("--recorded", a.recorded, "show only tables that have a recorded run");
    begin_group(*command, "Output");
    command
        ->add_option("--format", a.format,
                     "md, html, csv or json (default: from the output's extension, or md)")
        ->check(CLI::IsMember({"md", "html", "csv", "json"}));
    command->add_option("-o,--output,--out", a.output, "output file (default: standard output)");
    command->add_flag("--force", a.force, "replace an existing output");
    add_examples(*command, {"stl report --recorded", "stl report runs/mmnist-gsta --output report.html"});
    command->callback([arguments, &console] { run_report(*arguments, console); });
}

}  // namespace stl::tools
