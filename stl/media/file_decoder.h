// Decoded frames of one file, in order, as FFmpeg gives them. Used by the sources of this folder alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>

#include "stl/core/file.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/image.h"
#include "stl/media/input_file.h"
#include "stl/media/time_stamps.h"
#include "stl/media/video_reader.h"

namespace stl {

class FileDecoder {
  public:
    /// Of the options: stream, max_pixels, threads, external, stop. Error: not a video, audio only, frames of
    /// more than max_pixels, a file that names others.
    FileDecoder(const fs::path& path, const VideoOptions& options);
    /// FFmpeg holds pointers to the complaints, which have to outlive it.
    FileDecoder(const FileDecoder&) = delete;
    FileDecoder& operator=(const FileDecoder&) = delete;

    /// Continues at the last key frame at or before `seconds`; false (and nothing happens) where that can't
    /// be done.
    bool seek(double seconds);
    /// The next whole frame, valid until the next call; null at the end.
    const AVFrame* next();
    /// Seconds at which that frame shows, from where the first of all streams begins.
    double time() const { return time_; }
    /// How long it shows.
    double frame_duration() const { return duration_; }
    /// True if frames were lost just before it, or the clock jumped: another film or broadcast begins.
    bool after_gap() const { return after_gap_; }
    Orientation orientation() const;
    AVRational pixel_aspect() const;

    const AVStream& stream() const { return *stream_; }
    std::string format() const;
    /// FFmpeg's guess where the time stamps agree with it, else frames over time; 0: not known.
    double fps() const { return fps_; }
    /// Of the video, whatever the other streams last; 0: not known.
    double total_duration() const { return total_; }
    /// The unit of the time stamps, in seconds.
    double tick() const { return av_q2d(stream_->time_base); }
    std::int64_t frames_damaged() const { return damaged_; }
    std::int64_t frames_given() const { return given_; }
    std::int64_t frames_stored() const {
        return std::max<std::int64_t>(stream_->nb_frames, 0);
    }  ///< 0: not known
    /// Asked after the end: what the container promises beyond it (0 after a seek).
    std::int64_t frames_missing() const;
    double seconds_missing() const;
    /// FFmpeg's first message and how many there were.
    std::string complaint() const;
    std::int64_t complaints() const { return complaints_->count() + container_complaints_->count(); }

  private:
    /// What av_read_frame gave.
    struct Read {
        int code = 0;
        ffmpeg::PacketPtr packet;
        std::int64_t complaints = 0;  ///< of the container so far
    };

    void choose_stream(int wanted);
    void open_codec(std::int64_t max_pixels, int threads);
    double guessed_rate() const;
    double stated_duration() const;
    double first_picture_at() const;
    bool only_counts_frames() const;
    bool states_its_length() const;
    void measure_length();
    bool stamps_agree();
    TimeStamps indexed_stamps() const;
    TimeStamps look_ahead();
    void measure_rate();
    bool others_may_be_longer() const;
    void leave_out_others();
    Read read();
    Read read_file();
    void feed();
    void note_damage(int code);
    void measure_time();
    bool is_pause(double from, double to) const;
    bool lost_by_container();
    void count_missing();
    /// Of the video on the file's clock, in seconds.
    double begin() const { return origin_ == AV_NOPTS_VALUE ? 0 : static_cast<double>(origin_) * tick(); }

    fs::path path_;
    VideoOptions options_;
    InputFile file_;
    std::unique_ptr<ffmpeg::Complaints> complaints_ = std::make_unique<ffmpeg::Complaints>();
    std::unique_ptr<ffmpeg::Complaints> container_complaints_ = std::make_unique<ffmpeg::Complaints>();
    ffmpeg::Input input_;
    AVStream* stream_ = nullptr;
    ffmpeg::Codec codec_;
    std::deque<Read> ahead_;  ///< read already, for their time stamps
    ffmpeg::FramePtr frame_ = ffmpeg::make_frame();
    std::int64_t origin_ = AV_NOPTS_VALUE;  ///< time stamp of the film's beginning
    double fps_ = 0, total_ = 0;
    double time_ = 0, duration_ = 0;
    double shift_ = 0;  ///< what broken time stamps have been moved by
    bool timed_ = false, after_gap_ = false, jumped_ = false, draining_ = false, gap_pending_ = false,
         sought_ = false;
    bool stale_ =
        false;  ///< the frame is from before one that came out already, as a decoder does after damage
    int backward_ = 0;                 ///< frames in a row whose time stamps go back
    double given_end_ = 0;             ///< until when the last given frame shows
    std::int64_t damaged_before_ = 0;  ///< damaged_ when it was given
    std::int64_t damaged_ = 0, given_ = 0, packets_ = 0;
    std::int64_t container_complaints_heard_ = 0;
    std::int64_t suspect_until_ = 0;  ///< given_ up to which a jump in time is the container's loss
    int errors_in_a_row_ = 0;
};

}  // namespace stl
