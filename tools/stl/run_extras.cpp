#include "tools/stl/run_extras.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/media/png.h"
#include "stl/predict/predictor.h"
#include "stl/render/strips.h"
#include "stl/report/report.h"
#include "stl/run/run_folder.h"

namespace stl::tools {
namespace {

constexpr std::int64_t samples = 3;

Image draw_samples(const fs::path& run, const Experiment& experiment, std::int64_t step,
                   const std::string& device) {
    const auto& set = experiment.dataset;
    auto data = make_dataset(set, Split::validation, experiment.train.seed);
    if (data == nullptr) data = make_dataset(set, Split::train, experiment.train.seed);
    const auto shape = data->shape();
    Predictor predictor({.source = run.string(), .device = device, .threads = experiment.train.threads});
    PanelOptions panels;
    panels.error = false;
    std::vector<Strip> strips;
    for (std::int64_t i = 0; i < std::min(samples, data->size()); ++i) {
        std::vector<float> values(static_cast<std::size_t>(shape.elements()));
        data->fetch(0, i, values);
        const auto inputs = static_cast<std::size_t>(set.input_frames * shape.frame_elements());
        const auto x =
            torch::from_blob(values.data(), {1, set.input_frames, shape.channels, shape.height, shape.width});
        const auto y = predictor.predict(x, set.output_frames).to(torch::kCPU).contiguous();
        const std::span<const float> whole(values);
        const PanelSequence sequence{
            fmt::format("#{}", i),
            whole.first(inputs),
            whole.subspan(inputs),
            {{"", {y.const_data_ptr<float>(), static_cast<std::size_t>(y.numel())}, {}, {}}}};
        auto rows = figure_strips(sequence, shape, panels);
        rows.front().new_group = true;
        strips.insert(strips.end(), rows.begin(), rows.end());
    }
    StripOptions look;
    look.title = fmt::format("{} after step {}", RunFolder::open(run).name(), step);
    return draw_strips(strips, look);
}

}  // namespace

void write_samples(const fs::path& run, const Experiment& experiment, std::int64_t step,
                   const std::string& device, Reporter& reporter) {
    const auto path = run / "samples" / fmt::format("step-{}.png", step);
    try {
        const auto image = draw_samples(run, experiment, step, device);
        fs::create_directories(path.parent_path());
        write_png(path, image);
    } catch (const std::exception& error) {
        reporter.warn(fmt::format("{}: not written ({})", path.string(), error.what()));
    }
}

void write_run_report(const fs::path& run, Reporter& reporter) {
    const auto path = run / "report.html";
    try {
        const auto folder = RunFolder::open(run);
        const auto metrics = folder.read_metrics();
        if (!metrics.damaged.empty()) reporter.warn(metrics.damage());
        std::vector<Record> records;
        if (fs::exists(folder.evaluation_file())) records.push_back(read_run_record(run));
        std::vector<ReportTable> tables;
        if (const auto experiments = experiments_folder(); experiments && !records.empty()) {
            tables = make_tables(records, *experiments, "");
            keep_recorded(tables);
        }
        write_text(path, report_html(tables, {{folder.name(), metrics.lines}}));
    } catch (const std::exception& error) {
        reporter.warn(fmt::format("{}: not written ({})", path.string(), error.what()));
    }
}

}  // namespace stl::tools
