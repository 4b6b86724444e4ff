// Reads videos frame by frame, whatever they come in: anything FFmpeg decodes (rotated, of variable frame
// rate, with alpha, 10-bit, cut off in the middle), GIF, single pictures, TIFF with pages, and folders of numbered
// pictures.
// Frames come out upright, in the wanted size, as 8-bit gray or RGB of full range (or deeper), with the time at which
// they show.
//
// Gray is the video's own luma (BT.601 luma of RGB sources). Memory does not depend on the length.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/external_files.h"
#include "stl/core/file.h"
#include "stl/core/reporter.h"
#include "stl/media/fit.h"
#include "stl/media/image.h"

namespace stl {

struct VideoOptions {
    int height = 0, width = 0;  ///< 0: as the first frame is
    int channels = 3;           ///< 1 or 3
    bool deep = false;          ///< gray and RGB of more than 8 bits keep their numbers (Picture::deep)
    Fit fit = Fit::stretch;
    /// 0: every frame as stored. Otherwise frames are repeated or left out so that there are so many a
    /// second.
    double fps = 0;
    /// Of a folder of pictures or a TIFF with pages, whatever it says; absent: what it says, else assumed_fps.
    std::optional<double> folder_fps;
    double assumed_fps = 25;
    /// Seconds from the beginning, where the first of a file's streams begins, as players count; the frame at `end` is
    /// not read.
    std::optional<double> start, end;
    /// Index of the video stream; -1: the best one. Of a TIFF with channels or slices: which of the films that they make.
    int stream = -1;
    /// Whether to measure the length where the file may state another (joined files) or none, which reads it once more.
    bool measured = false;
    std::int64_t max_pixels = default_max_pixels;  ///< larger frames are refused
    int threads = 0;                               ///< of the decoder; 0: as many as cores
    ExternalFiles external = {};  ///< allowed: a playlist has the files of this machine read that it names
    StopRequested stop = {};      ///< asked while reading, and answered with Interrupted
};

struct VideoInfo {
    int height = 0, width = 0;  ///< as shown (turned); 0: not known before the first frame
    double fps = 0;             ///< of what next() gives; 0: not known
    double duration = 0;        ///< seconds, of the video (sound may go on); 0: not known
    std::int64_t frames = 0;    ///< as stored, from the container; 0: not known
    std::string format;         ///< "h264 in mov,mp4,m4a,3gp,3g2,mj2", "12 pictures"
    double pixel_aspect = 1;    ///< width to height of a pixel as shown
};

/// How evenly the frames that were read follow each other as stored, seen from the rate of the file.
struct Timing {
    bool uneven = false;
    double shortest = 0, longest = 0;  ///< seconds from a frame to the next; 0: not known
};
/// "uneven (0.033 to 9.700 s from frame to frame)"; empty: even.
std::string to_string(const Timing& timing);

struct Frame : Picture {
    double time = 0;  ///< seconds from the beginning
    /// It does not continue the frame before: damaged frames were left out, the size changed, the pictures' numbers have a
    /// gap, the clock was set anew (joined files), or, without `fps`, a pause lasts over a second and ten usual steps.
    bool after_gap = false;
};

/// What is known of a frame without its picture.
struct FrameOutline {
    double time = 0;            ///< as Frame::time
    int height = 0, width = 0;  ///< its own, as shown (turned)
};

/// What could not be read, or not as it was meant.
struct Damage {
    std::int64_t frames = 0;      ///< damaged or missing, as far as can be told
    std::int64_t of = 0;          ///< frames there should be; 0: not known
    double ends_early = 0;        ///< seconds missing at the end
    std::int64_t complaints = 0;  ///< error messages of the decoder, of frames that it gave all the same too
    std::string message;          ///< the first of them
    std::string size_change;      ///< "64x48, then 128x96": the first, if there is one
    std::int64_t second_film =
        0;  ///< bytes that begin another film behind the end of this one, and are not read
    /// What else a person should know: gaps in the pictures' numbers, HDR, interlacing.
    std::vector<std::string> remarks;
    bool any() const {
        return frames > 0 || ends_early > 0 || complaints > 0 || !size_change.empty() || second_film > 0 ||
               !remarks.empty();
    }
};
/// "a.mp4: 3 of 120 frames are damaged and left out (...)"
std::string to_string(const Damage& damage, const fs::path& path);

class VideoReader {
  public:
    /// Error: no such file, not a video, audio only, larger than max_pixels, no picture in the folder, a file that
    /// names others (unless `external` allows it). Interrupted, here and in next(): options.stop said so.
    explicit VideoReader(const fs::path& path, const VideoOptions& options = {});
    ~VideoReader();
    VideoReader(VideoReader&&) noexcept;
    VideoReader& operator=(VideoReader&&) noexcept;

    const VideoInfo& info() const;
    /// The next frame; empty at the end. Damaged frames are left out.
    std::optional<Frame> next();
    /// As next(), without the cost of the picture: for those who count. Only without `fps`.
    std::optional<FrameOutline> skip();
    /// After the end: what was lost on the way.
    Damage damage() const;
    /// After the end: of files, and of TIFFs that say when their pages were taken; folders of pictures have no time stamps.
    Timing timing() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// The last `count` frames (fewer if there are not so many) before options.end that no gap parts; where there are no
/// such ones, the last ones. Without decoding an hour for them where the file can be sought in. Memory: 2 `count` frames.
/// `damage`, if given, is told what was damaged, `earlier` whether a gap parts the very last ones.
std::vector<Frame> read_last_frames(const fs::path& path, std::int64_t count,
                                    const VideoOptions& options = {}, Damage* damage = nullptr,
                                    bool* earlier = nullptr);

/// True if the name ends like a video or picture (".mp4", ".gif", ".png", ...), or is a folder.
bool looks_like_video(const fs::path& path);
/// True if the name ends like a still picture's (".png", ".jpg", ".tif", ...).
bool is_picture_name(const fs::path& path);
/// The pictures of a folder (not of folders inside it) in natural order, those that are numbered alike together. Hidden
/// ones are not among them.
std::vector<fs::path> list_pictures(const fs::path& folder);

}  // namespace stl
