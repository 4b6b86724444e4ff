// Pictures for papers and for a first look: a row per model or sequence, a column per time step.
#pragma once

#include <string>
#include <vector>

#include "stl/media/image.h"
#include "stl/render/panels.h"

namespace stl {

struct Strip {
    std::string label;
    std::vector<std::string> captions;  ///< above the tiles ("t=11"); may be empty
    std::vector<Image> tiles;           ///< all of one size; an empty one leaves a hole
    bool new_group = false;             ///< some space above
};

struct StripOptions {
    Theme theme = light_theme;
    int scale = 0;  ///< 0: tiles of about 64 to 128 pixels
    std::string title;
};

/// RGB.
Image draw_strips(const std::vector<Strip>& strips, const StripOptions& options);
/// The same as a stand-alone SVG: crisp pictures and real text, for a PDF through any converter.
std::string strips_svg(const std::vector<Strip>& strips, const StripOptions& options);

/// Rows for one sequence: input, truth, each model, and its error where asked for. At most `columns` time
/// steps, evenly spread with the first and last among them.
std::vector<Strip> figure_strips(const PanelSequence& sequence, const SequenceShape& shape,
                                 const PanelOptions& options, int columns = 10);

}  // namespace stl
