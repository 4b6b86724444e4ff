#include "tools/stl/metric_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <tuple>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/metrics/lpips.h"
#include "tools/stl/checks.h"

namespace stl::tools {
namespace {

/// Five digits, whatever the size.
std::string shown(double value) {
    return std::isnan(value) ? "-" : fmt::format("{:.5g}", value);
}

std::string line(const std::string& name, std::size_t width, const std::vector<std::string>& cells) {
    std::string text = fmt::format("{:<{}}", name, width);
    for (const auto& cell : cells) text += fmt::format(" {:>9}", cell);
    return text;
}

/// A cell for each metric that was measured.
template <class Cell>
std::vector<std::string> cells(const MetricValues& values, Cell cell) {
    std::vector<std::string> texts;
    for (const auto& value : values.values) texts.push_back(cell(value));
    return texts;
}

/// "a,b,c" at its commas.
std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == ',') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

}  // namespace

ValueRange parse_range(const std::string& option, const std::string& text) {
    double low = 0, high = 0;
    const auto parts = split(text);
    const auto number = [](const std::string& part, double& value) {
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        return error == std::errc{} && end == part.data() + part.size();
    };
    if (parts.size() != 2 || !number(parts[0], low) || !number(parts[1], high) || !(low < high)) {
        throw UsageError(fmt::format("{} {}: expected A,B with A < B, e.g. 0,1", option, text));
    }
    return {low, high};
}

void MetricArguments::add_to(CLI::App& command, bool scales) {
    begin_group(command, "Metrics");
    command.add_option("--ssim", ssim_, "openstl (data range 2, as published) or standard (data range 1)")
        ->check(CLI::IsMember({"openstl", "standard"}))
        ->capture_default_str();
    auto* lpips = command.add_option(
        "--lpips", lpips_, "also compute LPIPS: file of AlexNet's weights (requires --lpips-heads)");
    auto* heads = command.add_option("--lpips-heads", lpips_heads_,
                                     "file of the weights of LPIPS' linear heads (requires --lpips)");
    lpips->needs(heads);
    heads->needs(lpips);
    command.add_flag("--spatial-norm", spatial_norm_,
                     fmt::format("average {} over a frame's values instead of summing them",
                                 metric_titles(&Metric::summed)));
    auto* range = command.add_option("--range", range_,
                                     fmt::format("LOW,HIGH: values that stand for black and white, which {} "
                                                 "scale to 0 and 1 (default: the data's)",
                                                 metric_titles(&Metric::needs_range)));
    if (!scales) return;
    auto* mean = command
                     .add_option("--mean", mean_,
                                 "M in value * S + M, which is applied to both files first (requires --std)")
                     ->check(finite);
    auto* std = command.add_option("--std", std_, "S in value * S + M (requires --mean)")->check(positive);
    mean->needs(std);
    std->needs(mean);
    command
        .add_option("--clip", clip_,
                    fmt::format("A,B: clip predictions to this range for {}, without scaling",
                                metric_titles(&Metric::needs_range)))
        ->capture_default_str()
        ->excludes(range);
    command.add_option(
        "--channel-names", channel_names_,
        fmt::format(
            "NAME,...: names of equally large groups of channels; {} are computed for each, then averaged",
            metric_titles(&Metric::by_group)));
}

MetricOptions MetricArguments::options(const std::optional<ValueRange>& of_data) const {
    MetricOptions o;
    o.ssim = parse_ssim_mode(ssim_);
    o.spatial_norm = spatial_norm_;
    o.mean = mean_;
    o.std = std_;
    const auto clip = parse_range("--clip", clip_);
    o.clip_min = clip.low;
    o.clip_max = clip.high;
    if (!range_.empty()) {
        o.range = parse_range("--range", range_);
    } else if (!mean_ && clip_ == default_clip) {
        o.range = other_than_unit(of_data);
    }
    if (!channel_names_.empty()) o.channel_names = split(channel_names_);
    if (!lpips_.empty()) o.lpips = Lpips::read(lpips_, lpips_heads_);
    return o;
}

void warn_of_values(const MetricValues& values, Reporter& reporter) {
    if (values.outside) {
        std::vector<std::string> missing;
        for (const auto& v : values.values) {
            if (v.metric.needs_range) missing.push_back(v.metric.title);
        }
        reporter.warn(fmt::format(
            "the true values range from {:.5g} to {:.5g}, outside 0 to 1, so {} cannot be computed; "
            "give the values that "
            "stand for black and white with --range LOW,HIGH",
            values.outside->low, values.outside->high, listed(missing, "and")));
    }
    if (values.nan_frames == 0) return;
    const auto frames = values.sequences * values.frames;
    reporter.warn(fmt::format("{} of {} {} NaN; metrics over them are null in JSON", values.nan_frames,
                              counted(frames, "frame"), values.nan_frames == 1 ? "holds" : "hold"));
}

std::vector<std::string> metric_table(const std::vector<std::pair<std::string, MetricValues>>& rows,
                                      const MetricOptions& options) {
    std::size_t width = 9;
    for (const auto& [name, values] : rows) width = std::max(width, name.size());
    const auto& first = rows.front().second;
    std::vector<std::string> lines{
        line("", width, cells(first, [](const MetricValue& v) { return v.metric.title; }))};
    for (const auto& [name, values] : rows) {
        lines.push_back(
            line(name, width, cells(values, [](const MetricValue& v) { return shown(v.overall); })));
    }
    for (std::int64_t t = 0; t < first.frames; ++t) {
        lines.push_back(
            line(fmt::format("frame {:>2}", t + 1), width, cells(first, [&](const MetricValue& v) {
                     return shown(v.per_frame[static_cast<std::size_t>(t)]);
                 })));
    }
    for (const auto& [name, value] : first.groups) lines.push_back(line(name, width, {shown(value)}));
    std::vector<std::string> notes;
    for (const auto& metric : metric_list()) {
        if (metric.note != nullptr) notes.push_back(metric.note(options));
    }
    lines.push_back(fmt::format("({})", fmt::join(notes, "; ")));
    return lines;
}

}  // namespace stl::tools
