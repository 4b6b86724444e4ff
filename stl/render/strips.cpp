#include "stl/render/strips.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/media/png.h"
#include "stl/render/canvas.h"
#include "stl/render/font.h"

namespace stl {
namespace {

constexpr int margin = 12, gap = 4, line = glyph_height + 4, group_gap = 12;

/// Where everything goes; the same for pixels and for SVG.
struct Plan {
    int scale = 1, tile_width = 0, tile_height = 0, left = 0, top = 0, width = 0, height = 0;
    std::vector<int> y;  ///< of each strip's tiles
};

Plan make_plan(const std::vector<Strip>& strips, const StripOptions& options) {
    const Image* any = nullptr;
    std::size_t columns = 0;
    int label = 0;
    for (const auto& strip : strips) {
        columns = std::max(columns, strip.tiles.size());
        label = std::max(label, text_width(strip.label));
        for (const auto& tile : strip.tiles) any = any || tile.empty() ? any : &tile;
    }
    if (!any) fail("no frames to render");
    Plan p;
    p.scale = options.scale > 0 ? options.scale : std::max(1, 127 / any->width);
    p.tile_width = any->width * p.scale;
    p.tile_height = any->height * p.scale;
    p.left = margin + (label > 0 ? label + 2 * gap : 0);
    p.top = margin + (options.title.empty() ? 0 : line + gap);
    int y = p.top;
    for (const auto& strip : strips) {
        if (strip.new_group && &strip != strips.data()) y += group_gap;
        if (!strip.captions.empty()) y += line;
        p.y.push_back(y);
        y += p.tile_height + gap;
    }
    p.width = p.left + static_cast<int>(columns) * (p.tile_width + gap) - gap + margin;
    p.height = y - gap + margin;
    if (p.width > 32768 || p.height > 32768)
        fail("a picture of {}x{} pixels is too large", p.width, p.height);
    return p;
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

std::string base64(const std::string& bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63U];
        }
    }
    return out;
}

std::string hex(Color c) {
    return fmt::format("#{:02x}{:02x}{:02x}", c.r, c.g, c.b);
}

/// Evenly spread numbers from 0 to count - 1, the first and the last among them.
std::vector<std::int64_t> spread(std::int64_t count, int most) {
    const std::int64_t n = std::min<std::int64_t>(count, most);
    std::vector<std::int64_t> steps;
    for (std::int64_t i = 0; i < n; ++i)
        steps.push_back(n == 1 ? 0 : (i * (count - 1) + (n - 1) / 2) / (n - 1));
    return steps;
}

}  // namespace

Image draw_strips(const std::vector<Strip>& strips, const StripOptions& options) {
    const Plan p = make_plan(strips, options);
    Image canvas = make_canvas(p.height, p.width, options.theme.background);
    draw_text(canvas, margin, margin, fit_text(options.title, p.width - 2 * margin), options.theme.text);
    for (std::size_t r = 0; r < strips.size(); ++r) {
        const int y = p.y[r];
        draw_text(canvas, margin, y + (p.tile_height - glyph_ascent) / 2, strips[r].label,
                  options.theme.text);
        for (std::size_t c = 0; c < strips[r].tiles.size(); ++c) {
            const int x = p.left + static_cast<int>(c) * (p.tile_width + gap);
            if (c < strips[r].captions.size()) {
                const std::string& caption = strips[r].captions[c];
                draw_text(canvas, x + (p.tile_width - text_width(caption)) / 2, y - line + 2, caption,
                          options.theme.faint);
            }
            if (!strips[r].tiles[c].empty())
                draw_image(canvas, x, y, enlarge(to_rgb(strips[r].tiles[c]), p.scale));
        }
    }
    return canvas;
}

std::string strips_svg(const std::vector<Strip>& strips, const StripOptions& options) {
    const Plan p = make_plan(strips, options);
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
        "width=\"{0}\" "
        "height=\"{1}\" viewBox=\"0 0 {0} {1}\" font-family=\"Helvetica, Arial, sans-serif\" "
        "font-size=\"10\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"{2}\"/>\n",
        p.width, p.height, hex(options.theme.background));
    const auto text = [&](int x, int y, Color color, const std::string& anchor, const std::string& words) {
        if (words.empty()) return;
        svg += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y,
                           hex(color), anchor, escaped(words));
    };
    text(margin, margin + glyph_ascent, options.theme.text, "start", options.title);
    for (std::size_t r = 0; r < strips.size(); ++r) {
        const int y = p.y[r];
        text(margin, y + (p.tile_height + glyph_ascent) / 2, options.theme.text, "start", strips[r].label);
        for (std::size_t c = 0; c < strips[r].tiles.size(); ++c) {
            const int x = p.left + static_cast<int>(c) * (p.tile_width + gap);
            if (c < strips[r].captions.size()) {
                text(x + p.tile_width / 2, y - 4, options.theme.faint, "middle", strips[r].captions[c]);
            }
            if (strips[r].tiles[c].empty()) continue;
            svg += fmt::format(
                "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" "
                "style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,{}\"/>\n",
                x, y, p.tile_width, p.tile_height, base64(encode_png(strips[r].tiles[c])));
        }
    }
    return svg + "</svg>\n";
}

std::vector<Strip> figure_strips(const PanelSequence& sequence, const SequenceShape& shape,
                                 const PanelOptions& options, int columns) {
    const auto [inputs, outputs] = check_panels({&sequence, 1}, shape);
    const auto shown = spread(outputs, columns);
    std::vector<Strip> strips;
    const auto add = [&](const std::string& label, const std::vector<std::int64_t>& steps,
                         std::int64_t first_number, auto&& tile) {
        Strip strip{label, {}, {}, strips.empty()};
        for (const auto k : steps) strip.tiles.push_back(tile(k));
        if (first_number > 0) {
            for (const auto k : steps) strip.captions.push_back(fmt::format("t={}", first_number + k));
        }
        strips.push_back(std::move(strip));
    };
    const auto plain = [&](std::span<const float> frames) {
        return [&, frames](std::int64_t k) {
            return frame_tile(frame_of(frames, k, shape), shape, options.range);
        };
    };
    if (inputs > 0)
        add(outputs > 0 ? "input" : sequence.name, spread(inputs, columns), 1, plain(sequence.input));
    bool numbered = false;
    const auto number = [&] { return std::exchange(numbered, true) ? std::int64_t{0} : inputs + 1; };
    if (!sequence.truth.empty()) add("truth", shown, number(), plain(sequence.truth));
    const float top = error_top({&sequence, 1}, options);
    for (const auto& model : sequence.models) {
        add(model.name.empty() ? "prediction" : model.name, shown, number(), plain(model.frames));
        if (!options.error || sequence.truth.empty()) continue;
        add(fmt::format("error 0-{}", top), shown, 0, [&](std::int64_t k) {
            return error_tile(frame_of(model.frames, k, shape), frame_of(sequence.truth, k, shape), shape,
                              options.range, top);
        });
    }
    return strips;
}

}  // namespace stl
