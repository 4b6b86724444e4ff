// A video of sequences side by side: input | truth | prediction | error for each, many in a grid, with
// headings, frame numbers and a bar that shows where in time one is.
//
// While the input runs, every panel shows it (dimmed where it is not the input's own); then the input stays
// on its last frame and truth, prediction and error run.
#pragma once

#include <vector>

#include "stl/media/image.h"
#include "stl/render/panels.h"

namespace stl {

class Comparison {
  public:
    /// `shape` gives channels, height and width of a frame. The values must outlive this.
    Comparison(std::vector<PanelSequence> sequences, const SequenceShape& shape, PanelOptions options);

    /// Input and output frames.
    std::int64_t frames() const { return input_frames_ + output_frames_; }
    /// RGB, all of one size.
    Image frame(std::int64_t k) const;

  private:
    /// One column of panels inside a sequence's block.
    enum class Kind { input, truth, prediction, error };
    struct Panel {
        Kind kind;
        std::size_t model = 0;
        std::string heading;
    };
    struct Layout {
        int columns = 1, rows = 1, scale = 1, text = 1;
        int tile_width = 0, tile_height = 0, block_width = 0, block_height = 0, header = 0;
        int width = 0, height = 0;
    };

    void choose_panels();
    void choose_layout();
    Layout make_layout(int columns, int scale) const;
    void draw_header(Image& canvas, std::int64_t k) const;
    void draw_time_bar(Image& canvas, std::int64_t k) const;
    void draw_block(Image& canvas, std::size_t index, int x, int y, std::int64_t k) const;
    void draw_panel(Image& canvas, const PanelSequence& sequence, const Panel& panel, int x, int y,
                    std::int64_t k) const;
    std::string scores(const PanelSequence& sequence, const Panel& panel, std::int64_t k) const;
    Image input_tile(const PanelSequence& sequence, std::int64_t k) const;

    std::vector<PanelSequence> sequences_;
    SequenceShape shape_;
    PanelOptions options_;
    std::int64_t input_frames_ = 0, output_frames_ = 0;
    float error_top_ = 1;
    bool footer_ = false;  ///< a line under the panels
    std::vector<Panel> panels_;
    Layout layout_;
};

}  // namespace stl
