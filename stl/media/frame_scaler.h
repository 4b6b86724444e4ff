// From a decoded FFmpeg frame to a small picture: crop or pad, resize, colour, turn. Colours are
// converted by formulas of our own (stl/media/colors.h), after resizing, in float: exact, and the same on
// every machine. Used by the sources of this folder alone.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "stl/media/ffmpeg.h"
#include "stl/media/resize.h"
#include "stl/media/video_reader.h"

struct SwsContext;

namespace stl {

/// How a frame is to be turned, from a display matrix (nine 16.16 numbers; null: upright).
Orientation orientation_of(const std::int32_t* display_matrix);

class FrameScaler {
  public:
    /// height or width 0: the first frame's own, turned. deep: pictures keep more than 8 bits where they have them.
    FrameScaler(int height, int width, int channels, Fit fit, bool deep);
    ~FrameScaler();
    FrameScaler(FrameScaler&&) noexcept;

    /// pixel_aspect: width to height of one pixel (0/1: square). Error: a pixel format that nothing here can
    /// read.
    Picture scale(const AVFrame& frame, const Orientation& orientation, AVRational pixel_aspect);

  private:
    struct Plan;
    struct ContextCloser {
        void operator()(SwsContext* context) const;
    };

    const AVFrame& readable(const AVFrame& frame);
    void make_plan(const AVFrame& frame, bool transpose, AVRational aspect);
    void resize_components(const AVFrame& frame);
    /// value(v): a colour from 0 to `white` as the picture is to hold it.
    template <class Value, class Convert>
    BasicImage<Value> colored(const AVFrame& frame, float white, const Convert& value) const;

    int height_, width_, channels_;
    Fit fit_;
    bool deep_;
    std::unique_ptr<Plan> plan_;
    std::unique_ptr<SwsContext, ContextCloser> converter_;
    ffmpeg::FramePtr converted_;
    std::vector<float> scratch_, interleaved_;
    std::array<std::vector<float>, 4> components_;  ///< Y U V A, R G B A or Y A; in the frame's units
};

}  // namespace stl
