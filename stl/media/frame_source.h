// Where a VideoReader's frames come from: one file, the pictures of a folder, or the pages of a TIFF. Used by this
// folder alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "stl/media/video_reader.h"

namespace stl {

/// A frame as stored. `picture` scales it, so that frames nobody wants cost no scaling.
struct SourceFrame {
    double time = 0, duration = 0;  ///< seconds
    bool after_gap = false;
    int height = 0, width = 0;  ///< as shown (turned); in a folder, as scaled to the first
    std::function<Picture()> picture;
};

/// Notes where frames change their size.
class FrameSizes {
  public:
    /// Whether this frame's size is not that of the one before.
    bool changes(int height, int width);
    /// "64x48, then 128x96"; empty: none.
    const std::string& first_change() const { return first_change_; }

  private:
    int height_ = 0, width_ = 0;
    std::string first_change_;
};

class FrameSource {
  public:
    virtual ~FrameSource() = default;
    virtual std::optional<SourceFrame> next() = 0;
    virtual VideoInfo info() const = 0;
    virtual Damage damage() const = 0;
    virtual Timing timing() const { return {}; }
};

/// Starts at or shortly before options.start.
std::unique_ptr<FrameSource> open_file_source(const fs::path& path, const VideoOptions& options);
std::unique_ptr<FrameSource> open_folder_source(const fs::path& path, const VideoOptions& options);
std::unique_ptr<FrameSource> open_stack_source(const fs::path& path, const VideoOptions& options);

}  // namespace stl
