// Where a VideoReader's frames come from: one file, or the pictures of a folder. Used by this folder alone.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "stl/media/video_reader.h"

namespace stl {

/// A frame as stored. `picture` scales it, so that frames nobody wants cost no scaling.
struct SourceFrame {
    double time = 0, duration = 0;  ///< seconds
    bool after_gap = false;
    std::function<Image()> picture;
};

class FrameSource {
  public:
    virtual ~FrameSource() = default;
    virtual std::optional<SourceFrame> next() = 0;
    virtual VideoInfo info() const = 0;
    virtual Loss loss() const = 0;
};

/// Starts at or shortly before options.start.
std::unique_ptr<FrameSource> open_file_source(const fs::path& path, const VideoOptions& options);
std::unique_ptr<FrameSource> open_folder_source(const fs::path& path, const VideoOptions& options);

}  // namespace stl
