// What the cells of all forms of a report have in common. For the files of this folder alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "stl/core/error.h"
#include "stl/report/report.h"

namespace stl {

/// Small sums need more digits: 0.3106 beside 25.57.
inline std::string shown(double value, int digits) {
    return fmt::format("{:.{}f}", value, std::abs(value) < 1 ? std::max(digits, 4) : digits);
}

/// How a form shows a text, differently where it is its column's best.
using Emphasis = std::string (*)(const std::string& text, bool best);

/// "26.01 ± 0.10", of what was reproduced.
inline std::string our_figure(const ReportTable& table, const Metric& column, const Figure& figure,
                              Emphasis emphasized) {
    auto text = emphasized(shown(figure.mean, column.digits), figure.mean == table.best(column, false));
    if (figure.deviation) text += " ± " + shown(*figure.deviation, column.digits);
    return text;
}

inline std::string published_figure(const ReportTable& table, const Metric& column, double value,
                                    Emphasis emphasized) {
    return emphasized(shown(value, column.digits), value == table.best(column, true));
}

/// " (+1.7 %)" of the published figure; empty where there is none.
inline std::string difference_text(const ReportRow& row, const Metric& column) {
    const auto difference = row.difference(column.key);
    return difference ? fmt::format(" ({:+.1f} %)", 100 * *difference) : "";
}

}  // namespace stl
