// Reads a file's packets without decoding them, for what its time stamps say and its header does not.
// Used by the sources of this folder alone.
#pragma once

#include <cstdint>
#include <optional>

#include "stl/core/file.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/time_stamps.h"
#include "stl/media/video_reader.h"

namespace stl {

/// How long the film is whose packets come one after the other, also where the clock is set anew in between (joined
/// files), in seconds.
class FilmLength {
  public:
    /// A packet: when it shows, for how long, and whether it needs no other one.
    void add(double time, double duration, bool key);
    double value() const { return whole_ + (end_ - begin_); }

  private:
    double whole_ = 0;  ///< of the parts before
    double begin_ = 0, end_ = 0;
    bool any_ = false;
};

/// In seconds of the file's own clock.
struct PacketScan {
    TimeStamps stamps;
    double last = 0;           ///< the stamp of the frame that shows last
    double last_duration = 0;  ///< how long it shows; 0: not known
    std::int64_t frames = 0;   ///< that are shown
    FilmLength length = {};
    double others_end = 0;  ///< where the last of the other streams ends
};

/// Of the video stream `index`. `from`: only from the last key frame before it on, where the file can be sought in.
/// Throws what VideoReader throws.
PacketScan scan_packets(const fs::path& path, const VideoOptions& options, int index,
                        std::optional<double> from = {});

/// When a packet is decoded, in seconds, which is in order where frames are not; empty: it has no stamp.
std::optional<double> decoding_time(const AVPacket& packet, const AVStream& stream);
/// False for a packet of reference alone.
bool is_shown(const AVPacket& packet, const AVStream& stream);

}  // namespace stl
