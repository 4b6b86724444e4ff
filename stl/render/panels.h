// What is to be shown: a sequence's input, its true continuation and what models made of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stl/formats/sequences.h"
#include "stl/render/theme.h"
#include "stl/render/tiles.h"

namespace stl {

/// One model's frames [To,C,H,W], with per-frame scores where they are known.
struct ModelFrames {
    std::string name;
    std::span<const float> frames;
    std::vector<double> mse, ssim;  ///< [To] or empty
};

/// Views of somebody's values; any part may be empty, but not all.
struct PanelSequence {
    std::string name;
    std::span<const float> input;  ///< [Ti,C,H,W]
    std::span<const float> truth;  ///< [To,C,H,W]
    std::vector<ModelFrames> models;
};

struct PanelOptions {
    Brightness range;
    bool error = true;    ///< panels of |prediction - truth| where both are there
    float error_top = 0;  ///< end of the error colours; 0: from the data (ErrorScale)
    Theme theme = dark_theme;
    std::string title;
    int scale = 0;                            ///< pixels a value; 0: as many as fit
    int columns = 0;                          ///< of the grid of sequences; 0: as fits best
    int max_width = 1920, max_height = 1080;  ///< what is aimed at where scale is 0
};

/// Error unless every part is a whole number of frames and models agree with each other and with the truth.
/// Returns {input frames, output frames}: the largest of all sequences.
std::pair<std::int64_t, std::int64_t> check_panels(std::span<const PanelSequence> sequences,
                                                   const SequenceShape& shape);

/// The end of the error colours for these sequences.
float error_top(std::span<const PanelSequence> sequences, const PanelOptions& options);

/// Frame k of [T,C,H,W].
std::span<const float> frame_of(std::span<const float> frames, std::int64_t k, const SequenceShape& shape);

}  // namespace stl
