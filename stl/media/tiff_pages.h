// The pages of a TIFF or BigTIFF, as one film or as several: gray and RGB of every depth by libtiff, the rest (palettes,
// CMYK, YCbCr, single bits) by FFmpeg. Used by this folder alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/media/picture_decoder.h"
#include "stl/media/picture_stack.h"
#include "stl/media/stack_axes.h"

struct AVPacket;

namespace stl {

class TiffPages {
  public:
    /// `film`: which of the films that channels and slices make; -1: the first. Memory: a page. Error: no such file, no
    /// page in it, no such film.
    explicit TiffPages(const fs::path& path, int film = -1);
    /// Of a file in memory, which must outlive this.
    TiffPages(std::span<const std::byte> file, const fs::path& path);
    ~TiffPages();

    /// Frames of the film.
    std::size_t count() const { return frames_.size(); }
    /// Frames a second, as the description says; 0: it does not.
    double fps() const { return interval_ > 0 ? 1 / interval_ : 0; }
    /// When each frame was taken, in seconds from the first; empty: not said, or not of all.
    const std::vector<double>& times() const { return times_; }
    /// What a person should know: other films beside this one, axes that are a guess.
    const std::vector<std::string>& remarks() const { return remarks_; }
    /// From any thread. 8 and 16 bits as decode_picture() gives them; other numbers as they are stored
    /// (Picture::white is 0). Error: damaged, missing, too large, values that are not finite.
    DecodedPicture decode(std::size_t frame, const PictureForm& form) const;

  private:
    void choose_film(int film);
    /// Of times that do not increase nothing is kept.
    void set_times(std::vector<double> times, double interval);
    DecodedPicture decode_by_ffmpeg(std::uint64_t directory, const PictureForm& form) const;

    fs::path path_;
    ReadAt read_;
    std::uint64_t size_ = 0;
    PictureStack stack_;
    std::vector<std::int64_t> frames_;  ///< the page of each
    double interval_ = 0;               ///< seconds from frame to frame, usually; 0: not said
    std::vector<double> times_;
    std::vector<std::string> remarks_;
    mutable std::mutex decoding_;
    mutable std::shared_ptr<AVPacket>
        packet_;  ///< the file for FFmpeg; its header names the page that is decoded
};

}  // namespace stl
