#include "stl/render/comparison.h"

#include <algorithm>
#include <cmath>

#include "stl/core/error.h"
#include "stl/render/canvas.h"
#include "stl/render/font.h"

namespace stl {
namespace {

// In units of one text factor.
constexpr int margin = 10, panel_gap = 5, block_gap = 14, line = glyph_height + 3;
constexpr float dimmed = 0.55F;

std::string score_text(double value) {
    if (!std::isfinite(value)) return "-";
    const int digits = std::abs(value) < 9.9995 ? 3 : std::abs(value) < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f}", value, digits);
}

}  // namespace

Comparison::Comparison(std::vector<PanelSequence> sequences, const SequenceShape& shape, PanelOptions options)
    : sequences_(std::move(sequences)), shape_(shape), options_(std::move(options)) {
    std::tie(input_frames_, output_frames_) = check_panels(sequences_, shape_);
    if (!(options_.range.high > options_.range.low)) {
        fail("values from {} to {} can't be shown", options_.range.low, options_.range.high);
    }
    error_top_ = error_top(sequences_, options_);
    choose_panels();
    choose_layout();
}

void Comparison::choose_panels() {
    const PanelSequence& first = sequences_[0];
    const bool compared = output_frames_ > 0;
    if (!first.input.empty()) panels_.push_back({Kind::input, 0, compared ? "input" : ""});
    if (!first.truth.empty())
        panels_.push_back({Kind::truth, 0, first.models.empty() ? "continuation" : "truth"});
    for (std::size_t m = 0; m < first.models.size(); ++m) {
        const std::string& name = first.models[m].name;
        panels_.push_back({Kind::prediction, m, name.empty() ? "prediction" : name});
        if (options_.error && !first.truth.empty()) {
            panels_.push_back({Kind::error, m, fmt::format("error 0-{}", error_top_)});
        }
    }
    for (const auto& s : sequences_) footer_ = footer_ || !s.name.empty();
    for (const auto& m : first.models) footer_ = footer_ || !m.mse.empty() || !m.ssim.empty();
}

Comparison::Layout Comparison::make_layout(int columns, int scale) const {
    Layout l;
    l.columns = columns;
    l.rows = (static_cast<int>(sequences_.size()) + columns - 1) / columns;
    l.scale = scale;
    l.tile_width = static_cast<int>(shape_.width) * scale;
    l.tile_height = static_cast<int>(shape_.height) * scale;
    l.text = l.tile_width >= 120 ? 2 : 1;
    const int t = l.text, n = static_cast<int>(panels_.size());
    const bool headings = n > 1 || !panels_[0].heading.empty();
    l.block_width = n * l.tile_width + (n - 1) * panel_gap * t;
    l.block_height = l.tile_height + (footer_ ? line * t : 0);
    l.header = margin * t + line * t + 8 * t + (headings ? line * t : 0);
    l.width = 2 * margin * t + columns * l.block_width + (columns - 1) * block_gap * t;
    l.height = l.header + l.rows * l.block_height + (l.rows - 1) * panel_gap * t + margin * t;
    const int words = text_width(fmt::format("frame {0}/{0}", frames()), t) + 2 * margin * t;
    l.width = std::max(l.width, words);
    l.width += l.width % 2;
    l.height += l.height % 2;
    return l;
}

void Comparison::choose_layout() {
    if (options_.scale < 0 || options_.columns < 0)
        fail("scale and columns of a picture must not be negative");
    const int count = static_cast<int>(sequences_.size());
    double best = -1;
    for (int columns = 1; columns <= count; ++columns) {
        if (options_.columns > 0 && columns != std::min(options_.columns, count)) continue;
        int scale = options_.scale > 0 ? options_.scale : 16;
        Layout layout = make_layout(columns, scale);
        while (options_.scale == 0 && scale > 1 &&
               (layout.width > options_.max_width || layout.height > options_.max_height)) {
            layout = make_layout(columns, --scale);
        }
        // Large panels first; among equals the shape of a screen; what does not fit comes last.
        const double shape = static_cast<double>(layout.width) / layout.height / (16.0 / 9);
        const double over = std::max(
            {1.0, double(layout.width) / options_.max_width, double(layout.height) / options_.max_height});
        const double worth = (scale + 1 / (1 + std::abs(std::log(shape)))) / (over * over);
        if (worth > best) {
            best = worth;
            layout_ = layout;
        }
    }
    if (layout_.width > 16384 || layout_.height > 16384) {
        fail("a picture of {}x{} pixels is too large; render fewer sequences", layout_.width, layout_.height);
    }
}

Image Comparison::frame(std::int64_t k) const {
    if (k < 0 || k >= frames()) fail("frame {} does not exist, there are {}", k, frames());
    const Layout& l = layout_;
    Image canvas = make_canvas(l.height, l.width, options_.theme.background);
    draw_header(canvas, k);
    draw_time_bar(canvas, k);
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
        const int column = static_cast<int>(i) % l.columns, row = static_cast<int>(i) / l.columns;
        draw_block(canvas, i, margin * l.text + column * (l.block_width + block_gap * l.text),
                   l.header + row * (l.block_height + panel_gap * l.text), k);
    }
    return canvas;
}

void Comparison::draw_header(Image& canvas, std::int64_t k) const {
    const Layout& l = layout_;
    const int t = l.text, y = margin * t;
    const std::string number = fmt::format("frame {}/{}", k + 1, frames());
    const int number_width = text_width(number, t);
    const int room = l.width - 3 * margin * t - number_width;
    draw_text(canvas, margin * t, y, fit_text(options_.title, room, t), options_.theme.text, t);
    draw_text(canvas, l.width - margin * t - number_width, y, number, options_.theme.text, t);
    // Headings over every column of the grid.
    for (int column = 0; column < std::min(l.columns, static_cast<int>(sequences_.size())); ++column) {
        for (std::size_t p = 0; p < panels_.size(); ++p) {
            const int x = margin * t + column * (l.block_width + block_gap * t) +
                          static_cast<int>(p) * (l.tile_width + panel_gap * t);
            draw_text(canvas, x, l.header - line * t, fit_text(panels_[p].heading, l.tile_width, t),
                      options_.theme.text, t);
        }
    }
}

void Comparison::draw_time_bar(Image& canvas, std::int64_t k) const {
    const Layout& l = layout_;
    const int t = l.text, y = margin * t + line * t, length = l.width - 2 * margin * t;
    for (std::int64_t i = 0; i < frames(); ++i) {
        const int x0 = static_cast<int>(i * length / frames()),
                  x1 = static_cast<int>((i + 1) * length / frames());
        const Color done = i < input_frames_ ? options_.theme.observed : options_.theme.predicted;
        fill_rectangle(canvas, margin * t + x0, y, std::max(1, x1 - x0 - t), 2 * t,
                       i <= k ? done : options_.theme.card);
    }
}

void Comparison::draw_block(Image& canvas, std::size_t index, int x, int y, std::int64_t k) const {
    const PanelSequence& sequence = sequences_[index];
    const Layout& l = layout_;
    for (const Panel& panel : panels_) {
        draw_panel(canvas, sequence, panel, x, y, k);
        const std::string below = &panel == panels_.data() ? sequence.name : scores(sequence, panel, k);
        draw_text(canvas, x, y + l.tile_height + 2 * l.text, fit_text(below, l.tile_width, l.text),
                  options_.theme.faint, l.text);
        x += l.tile_width + panel_gap * l.text;
    }
}

Image Comparison::input_tile(const PanelSequence& sequence, std::int64_t k) const {
    if (sequence.input.empty()) return {};
    const std::int64_t last = std::ssize(sequence.input) / shape_.frame_elements() - 1;
    return frame_tile(frame_of(sequence.input, std::min(k, last), shape_), shape_, options_.range);
}

void Comparison::draw_panel(Image& canvas, const PanelSequence& sequence, const Panel& panel, int x, int y,
                            std::int64_t k) const {
    const Theme& theme = options_.theme;
    const Layout& l = layout_;
    const bool observing = k < input_frames_;
    const std::int64_t step = k - input_frames_;
    const auto shown = panel.kind == Kind::truth   ? sequence.truth
                       : panel.kind == Kind::input ? sequence.input
                                                   : sequence.models[panel.model].frames;
    const bool running = panel.kind == Kind::input ? observing : !observing;
    Image tile;
    if (panel.kind == Kind::input || (observing && panel.kind != Kind::error)) {
        tile = input_tile(sequence, k);
        if (!running && !tile.empty() && output_frames_ > 0) tile = mixed(tile, theme.background, dimmed);
    } else if (!observing && (step + 1) * shape_.frame_elements() <= std::ssize(shown)) {
        const auto frame = frame_of(shown, step, shape_);
        tile = panel.kind == Kind::error ? error_tile(frame, frame_of(sequence.truth, step, shape_), shape_,
                                                      options_.range, error_top_)
                                         : frame_tile(frame, shape_, options_.range);
    }
    fill_rectangle(canvas, x, y, l.tile_width, l.tile_height, theme.card);
    if (!tile.empty()) draw_image(canvas, x, y, enlarge(tile, l.scale));
    const Color lit = panel.kind == Kind::input        ? theme.observed
                      : panel.kind == Kind::prediction ? theme.predicted
                                                       : theme.faint;
    draw_border(canvas, x, y, l.tile_width, l.tile_height, l.text,
                running && output_frames_ > 0 ? lit : theme.card);
}

std::string Comparison::scores(const PanelSequence& sequence, const Panel& panel, std::int64_t k) const {
    if (k < input_frames_ || panel.kind == Kind::input || panel.kind == Kind::truth) return "";
    const ModelFrames& model = sequence.models[panel.model];
    const auto step = static_cast<std::size_t>(k - input_frames_);
    // With an error panel beside it each of the two shows one number.
    const bool both = !options_.error || sequence.truth.empty();
    std::string text;
    if (panel.kind == Kind::prediction && step < model.mse.size())
        text = "mse " + score_text(model.mse[step]);
    if ((panel.kind == Kind::error || both) && step < model.ssim.size()) {
        text += (text.empty() ? "ssim " : "  ssim ") + score_text(model.ssim[step]);
    }
    return text;
}

}  // namespace stl
