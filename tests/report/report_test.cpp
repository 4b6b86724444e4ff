#include "stl/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stl/eval/published.h"
#include "stl/report/svg_plot.h"
#include "stl/run/experiment.h"
#include "tests/support/small_run.h"

namespace stl {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;

const fs::path experiments = STL_SOURCE_DIR "/experiments";

/// A record of the benchmark's moganet on mmnist, but for `settings`.
Record record(const std::string& name, double mse, double seed, const std::vector<Setting>& settings = {}) {
    const auto e = load_experiment(experiments / "mmnist/moganet.json", settings);
    const auto model = e.model_for({20, 1, 64, 64});
    return {name,
            {{"mse", mse},
             {"mae", 75.0},
             {"ssim", 0.94},
             {"psnr", 23.0},
             {"ssim_mode", "openstl"},
             {"per_frame", {{"mse", {mse - 1, mse + 1}}, {"ssim", {0.95, 0.93}}}},
             {"test_set", "mmnist test set"},
             {"dataset", "mmnist"},
             {"translator", model.translator},
             {"seed", seed},
             {"parameters", 46'800'000},
             {"macs", 16'500'000'000},
             {"sequences_per_second", 5.0},
             {"device", "cpu"},
             {"best", {{"mse", mse - 0.5}}},
             {"experiment",
              {{"dataset", e.dataset.to_json()},
               {"model", model.to_json()},
               {"train", write_options(e.train)}}}}};
}

const ReportTable& table_of(const std::vector<ReportTable>& tables, std::string_view setting) {
    for (const auto& table : tables) {
        if (table.setting.starts_with(setting)) return table;
    }
    ADD_FAILURE() << "no table " << setting;
    return tables.front();
}

TEST(Report, SetsReproducedBesidePublished) {
    const std::vector<Record> records{record("a", 25.57, 1), record("b", 26.57, 2)};
    const auto tables = make_tables(records, experiments, "mmnist");
    ASSERT_EQ(tables.size(), 2U);
    const auto& table = table_of(tables, "200 epochs");
    EXPECT_TRUE(table.benchmark);
    const auto published = Published::read(experiments / "published.json");
    ASSERT_EQ(table.rows.size(), published.translators("mmnist", 200).size());
    const auto& row = table.rows[11];
    EXPECT_EQ(row.translator, "moganet");
    EXPECT_NEAR(row.figure("mse")->mean, 26.07, 1e-12);
    EXPECT_NEAR(row.figure("mse")->deviation.value(), std::sqrt(0.5), 1e-12);
    EXPECT_EQ(row.published_value("mse"), 25.57);
    EXPECT_NEAR(row.difference("mse").value(), 0.5 / 25.57, 1e-12);
    EXPECT_EQ(table.best(leading_metric(), true), 24.6);
    EXPECT_EQ(table.best(*std::ranges::find(metric_list(), "ssim", &Metric::key), true), 0.9454);
    EXPECT_FALSE(table.rows[0].figure("mse").has_value());
    EXPECT_EQ(table.columns().size(), 4U);
}

TEST(Report, KeepsOtherSettingsApart) {
    const std::vector<Record> records{record("a", 25, 1), record("long", 16, 1, {{"train.epochs", 2000}}),
                                      record("narrow", 90, 1, {{"model.hid_T", 64}}),
                                      record("short", 80, 1, {{"train.epochs", 3}}),
                                      record("narrow2", 92, 2, {{"model.hid_T", 64}, {"train.seed", 2}})};
    const auto tables = make_tables(records, experiments, "mmnist");
    ASSERT_EQ(tables.size(), 4U);
    EXPECT_EQ(table_of(tables, "2000 epochs").rows[11].figure("mse")->mean, 16);
    EXPECT_EQ(table_of(tables, "3 epochs").rows.size(), 1U);
    const auto& narrow =
        tables.back().rows.size() == 1 && tables.back().setting.find("hid_T 64") != std::string::npos
            ? tables.back()
            : tables[tables.size() - 2];
    EXPECT_THAT(narrow.setting, HasSubstr("hid_T 64"));
    EXPECT_FALSE(narrow.benchmark);
    EXPECT_EQ(narrow.rows[0].figure("mse")->mean, 91);
    EXPECT_TRUE(narrow.rows[0].published.is_null());
}

TEST(Report, MarkdownShowsDifferencesBestAndMissing) {
    const std::vector<Record> records{record("a", 26.0, 1)};
    const auto text = report_markdown(make_tables(records, experiments, "mmnist"));
    EXPECT_THAT(text, HasSubstr("### mmnist, 200 epochs"));
    EXPECT_THAT(
        text, HasSubstr("| moganet | 46.8 → 46.80 | 16.5 → 16.50 | 5 (cpu) | 25.57 → **26.00** (+1.7 %) |"));
    EXPECT_THAT(text, HasSubstr("**24.60** → – |"));
    EXPECT_THAT(text, HasSubstr("| 25.50 |\n"));
    EXPECT_THAT(text, HasSubstr("Test set: mmnist test set. SSIM: openstl."));
}

TEST(Report, CsvAndJsonHoldTheSameFigures) {
    const std::vector<Record> records{record("a", 26.0, 1)};
    const auto tables = make_tables(records, experiments, "mmnist");
    const auto csv = report_csv(tables);
    EXPECT_THAT(csv,
                HasSubstr("\nmmnist,200 epochs,moganet,1,46.8,46800000,16.5,16500000000,5,cpu,25.57,26,,"));
    const auto columns =
        std::count(csv.begin(), csv.begin() + static_cast<std::ptrdiff_t>(csv.find('\n')), ',');
    EXPECT_EQ(std::count(csv.begin(), csv.end(), ','), columns * (1 + 26));
    const auto json = report_json(tables);
    const auto& row = json["tables"][0]["rows"][11];
    EXPECT_EQ(row["reproduced"]["mse"]["mean"], 26.0);
    EXPECT_EQ(row["published"]["mse"], 25.57);
    EXPECT_EQ(row["records"][0], "a");
    EXPECT_TRUE(json["tables"][0]["rows"][0]["reproduced"].empty());
}

TEST(Report, HtmlIsOnePageWithPlots) {
    auto mine = record("a<b>", 26.0, 1);
    const std::vector<Record> records{mine};
    const auto tables = make_tables(records, experiments, "mmnist");
    std::vector<Json> lines;
    for (int i = 1; i <= 1000; ++i)
        lines.push_back({{"step", i}, {"epoch", 1}, {"loss", 1.0 / i}, {"lr", 0.1}});
    lines.push_back({{"steps", 1000}, {"epoch", 1}, {"val_loss", 0.1}, {"mse", 30.0}});
    lines.push_back({{"steps", 2000}, {"epoch", 2}, {"val_loss", 0.05}, {"mse", 20.0}});
    const auto html = report_html(tables, {{"runs/a", lines}});
    EXPECT_THAT(html, HasSubstr("<h2>Learning curves</h2>"));
    EXPECT_THAT(html, HasSubstr("Validation MSE"));
    EXPECT_THAT(html, HasSubstr("MSE against parameters"));
    EXPECT_THAT(html, HasSubstr("SSIM of each predicted frame"));
    EXPECT_THAT(html, HasSubstr("a&lt;b&gt;&#10;frame 1: MSE 25"));
    EXPECT_THAT(html, Not(HasSubstr("a<b>")));
    EXPECT_THAT(html, Not(HasSubstr("http")));
    EXPECT_THAT(html, Not(HasSubstr("nan")));
    EXPECT_LT(html.size(), 400'000U);
}

TEST(Report, RefusesWhatIsNoRecord) {
    const TemporaryFolder folder;
    write_json(folder / "results/mmnist/a.json", record("a", 26, 1).document);
    write_json(folder / "results/b.json", {{"dataset", "mmnist"}});
    EXPECT_THAT(error_of([&] { read_records(folder / "results"); }),
                HasSubstr("b.json: translator: missing"));
    fs::remove(folder / "results/b.json");
    const auto records = read_records(folder / "results");
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].name, "a");
    for (const char* part : {"dataset", "model"}) {
        auto without = record("a", 26, 1).document;
        without["experiment"].erase(part);
        write_json(folder / "parts/a.json", without);
        EXPECT_THAT(error_of([&] { read_records(folder / "parts"); }),
                    HasSubstr(fmt::format("a.json: experiment.{}: missing", part)));
        without["experiment"][part] = "none";
        write_json(folder / "parts/a.json", without);
        EXPECT_THAT(error_of([&] { read_records(folder / "parts"); }),
                    HasSubstr(fmt::format("a.json: experiment.{}: \"none\" is not an object", part)));
    }
    EXPECT_TRUE(read_records(folder / "nothing").empty());
    EXPECT_THAT(error_of([&] { make_tables(records, experiments, "minst"); }), HasSubstr("data set 'minst'"));
    testing::write_small_run(folder / "run");
    EXPECT_THAT(error_of([&] { read_run_record(folder / "run"); }), HasSubstr("has not been evaluated yet"));
    write_json(folder / "run/evaluation.json", record("a", 26, 1).document);
    EXPECT_EQ(read_run_record(folder / "run/.").name, "run");
}

TEST(Report, TheBestEpochMayHaveNoFigure) {
    std::vector<Record> records{record("a", 26.0, 1)};
    records[0].document["best"] = Json::object();
    EXPECT_THAT(report_markdown(make_tables(records, experiments, "mmnist")), Not(HasSubstr("| 25.50 |")));
}

TEST(Report, SumsAndMeansAreKeptApart) {
    std::vector<Record> records{record("a", 26.0, 1), record("b", 0.006, 1)};
    records[1].document["spatial_norm"] = true;
    const auto tables = make_tables(records, experiments, "mmnist");
    ASSERT_EQ(tables.size(), 3U);
    EXPECT_FALSE(tables[2].benchmark);
    EXPECT_THAT(tables[2].setting, HasSubstr("MSE and MAE per value"));
    EXPECT_EQ(table_of(tables, "200 epochs").rows[11].figure("mse")->mean, 26.0);
}

TEST(SvgPlot, TicksAreRound) {
    const auto near = [](std::vector<double> values) {
        return ::testing::Pointwise(::testing::DoubleNear(1e-12), std::move(values));
    };
    EXPECT_THAT(nice_ticks(0, 10, 5), near({0, 2, 4, 6, 8, 10}));
    EXPECT_THAT(nice_ticks(0.912, 0.948, 4), near({0.92, 0.93, 0.94}));
    EXPECT_THAT(nice_ticks(3, 3, 4), near({3}));
}

TEST(SvgPlot, LeavesOutWhatHasNoPlace) {
    Plot plot{
        "t",
        "x",
        "y",
        /*log_x=*/true,
        false,
        {{"s", 0, true, false, {{1, 2, "a"}, {0, 3, "zero"}, {10, std::nan(""), "nan"}, {100, 4, "b"}}}}};
    const auto svg = svg_plot(plot);
    EXPECT_THAT(svg, HasSubstr("data-tip=\"a\""));
    EXPECT_THAT(svg, HasSubstr("data-tip=\"b\""));
    EXPECT_THAT(svg, Not(HasSubstr("zero")));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    plot.series[0].points = {{-1, 1, "c"}};
    EXPECT_EQ(svg_plot(plot), "");
}

TEST(Report, HtmlSaysWhatWasMeasuredAndShowsTheBaselines) {
    auto mine = record("a", 26.0, 1);
    mine.document.update({{"weights", "best"},
                          {"epoch", 7},
                          {"precision", "bf16"},
                          {"input_frames", 10},
                          {"output_frames", 30}});
    mine.document["baselines"] = {{"copy", {{"mse", 20.0}}}, {"mean", {{"mse", 40.0}}}};
    const std::vector<Record> records{mine};
    const auto html = report_html(make_tables(records, experiments, "mmnist"), {});
    EXPECT_THAT(
        html,
        HasSubstr(
            "a: the weights 'best' after epoch 7; 30 frames predicted from 10; computed in bf16 on cpu"));
    EXPECT_THAT(html, HasSubstr("<td>copy of the last frame</td><td>20.00</td>"));
    EXPECT_THAT(html, HasSubstr("The network does not beat: copy of the last frame."));
    EXPECT_THAT(html, Not(HasSubstr("the last epoch, measured once")));
}

}  // namespace
}  // namespace stl
