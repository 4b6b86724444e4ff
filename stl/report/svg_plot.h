// A plot as inline SVG: lines or points over two axes, colours and text from the page's style sheet, every
// point with what it is for a hover box (data-tip).
#pragma once

#include <string>
#include <vector>

namespace stl {

struct PlotPoint {
    double x = 0, y = 0;
    std::string tip;  ///< shown over the point; empty: no mark
};

struct PlotSeries {
    std::string name;
    std::size_t color = 0;  ///< plot_color()'s
    bool line = true;       ///< else points
    bool hollow = false;
    std::vector<PlotPoint> points{};
};

struct Plot {
    std::string title, x_label, y_label;
    bool log_x = false, log_y = false;
    std::vector<PlotSeries> series{};
};

/// CSS of a colour, light or dark as the page is; beyond the distinct hues they start anew.
std::string plot_color(std::size_t color);

/// Points that are not finite (or not positive on a logarithmic axis) are left out; empty where none is left.
std::string svg_plot(const Plot& plot);

/// Round values between `low` and `high`, about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count);

/// Text as HTML shows it.
std::string html_text(const std::string& text);

}  // namespace stl
