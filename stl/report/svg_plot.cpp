#include "stl/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stl {
namespace {

constexpr double width = 480, height = 300;
constexpr double left = 58, right = 14, top = 30, bottom = 42;

constexpr int hues[] = {210, 25, 140, 340, 265, 185, 45, 300, 95, 5, 230, 160, 60};

/// One axis: values to pixels.
class Axis {
  public:
    Axis(bool log, double from, double to) : log_(log), from_(from), to_(to) {}

    bool shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }
    void take(double value) {
        low_ = std::min(low_, scaled(value));
        high_ = std::max(high_, scaled(value));
    }
    void close() {
        // A single value gets some room around it.
        const double room = high_ > low_ ? 0.05 * (high_ - low_) : std::max(1e-3, 0.05 * std::abs(high_));
        low_ -= room;
        high_ += room;
    }
    double place(double value) const {
        return from_ + (scaled(value) - low_) / (high_ - low_) * (to_ - from_);
    }

    std::vector<double> ticks() const {
        if (!log_) return nice_ticks(low_, high_, 5);
        std::vector<double> values;
        const bool dense = high_ - low_ < 1.5;
        for (int power = static_cast<int>(std::floor(low_)); power <= static_cast<int>(std::ceil(high_));
             ++power) {
            for (const double factor : {1.0, 2.0, 5.0}) {
                if (factor > 1 && !dense) continue;
                const double value = factor * std::pow(10.0, power);
                if (scaled(value) >= low_ && scaled(value) <= high_) values.push_back(value);
            }
        }
        return values.size() > 1 ? values : linear_ticks();
    }

  private:
    double scaled(double value) const { return log_ ? std::log10(value) : value; }
    /// Of a logarithmic axis too short for powers.
    std::vector<double> linear_ticks() const {
        return nice_ticks(std::pow(10.0, low_), std::pow(10.0, high_), 4);
    }

    bool log_;
    double from_, to_;
    double low_ = std::numeric_limits<double>::infinity();
    double high_ = -std::numeric_limits<double>::infinity();
};

std::string tick_text(double value) {
    const auto text = fmt::format("{:.4g}", value);
    return text == "-0" ? "0" : text;
}

std::string axes(const Plot& plot, const Axis& x, const Axis& y) {
    std::string out;
    for (const double value : y.ticks()) {
        const double at = y.place(value);
        out += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", left,
                           width - right, at, at);
        out += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", left - 6, at + 4,
                           tick_text(value));
    }
    for (const double value : x.ticks()) {
        const double at = x.place(value);
        out += fmt::format(R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>)", at, at, top,
                           height - bottom);
        out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", at,
                           height - bottom + 16, tick_text(value));
    }
    out += fmt::format(R"(<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>)", left, top,
                       width - left - right, height - top - bottom);
    out += fmt::format(R"(<text class="title" x="{}" y="18">{}</text>)", left, html_text(plot.title));
    out += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">{}</text>)", (left + width - right) / 2,
                       height - 6, html_text(plot.x_label));
    out += fmt::format(R"-(<text transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>)-",
                       (top + height - bottom) / 2, html_text(plot.y_label));
    return out;
}

std::string marks(const PlotSeries& series, const Axis& x, const Axis& y) {
    std::string path, points;
    for (const auto& p : series.points) {
        if (!x.shows(p.x) || !y.shows(p.y)) continue;
        const double px = x.place(p.x), py = y.place(p.y);
        path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px, py);
        if (p.tip.empty()) continue;
        points += fmt::format(R"(<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>)",
                              series.hollow ? "hollow" : "dot", px, py, series.line ? 2.5 : 5);
        points +=
            fmt::format(R"(<circle class="hit" cx="{:.1f}" cy="{:.1f}" r="9" data-tip="{}" tabindex="0"/>)",
                        px, py, html_text(p.tip));
    }
    if (path.empty()) return {};
    if (series.line) points = fmt::format(R"(<path class="line" d="{}"/>)", path) + points;
    return fmt::format(R"(<g style="--c:{}">{}</g>)", plot_color(series.color), points);
}

}  // namespace

std::string plot_color(std::size_t color) {
    return fmt::format("hsl({} 65% var(--tone))", hues[color % std::size(hues)]);
}

std::string html_text(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\n':
                out += "&#10;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::vector<double> nice_ticks(double low, double high, int count) {
    if (!(high > low)) return {low};
    const double rough = (high - low) / count;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
        if (factor * power >= rough) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> ticks;
    // Multiples of the step, so that no error adds up.
    const auto last = static_cast<long long>(std::floor(high / step + 1e-9));
    for (auto i = static_cast<long long>(std::ceil(low / step - 1e-9)); i <= last; ++i) {
        ticks.push_back(static_cast<double>(i) * step);
    }
    return ticks;
}

std::string svg_plot(const Plot& plot) {
    Axis x(plot.log_x, left, width - right), y(plot.log_y, height - bottom, top);
    bool any = false;
    for (const auto& series : plot.series) {
        for (const auto& p : series.points) {
            if (!x.shows(p.x) || !y.shows(p.y)) continue;
            x.take(p.x);
            y.take(p.y);
            any = true;
        }
    }
    if (!any) return {};
    x.close();
    y.close();
    auto out = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", width, height,
                           html_text(plot.title));
    out += axes(plot, x, y);
    for (const auto& series : plot.series) out += marks(series, x, y);
    return out + "</svg>";
}

}  // namespace stl
