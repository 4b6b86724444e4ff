#include "stl/media/file_decoder.h"

#include <array>
#include <cmath>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/media/frame_scaler.h"

namespace stl {
namespace {

constexpr int most_errors_in_a_row = 1000;
/// A longer pause between two frames is a broken time stamp.
constexpr double longest_pause = 60;
/// More of them are a clock that was set back.
constexpr int most_stale_in_a_row = 16;

int checked(int code, const fs::path& path) {
    ffmpeg::check_memory(code, path);
    if (code >= 0) return code;
    const auto reason = ffmpeg::complaint(code);
    if (ffmpeg::is_shortage(code))
        throw Shortage(fmt::format("{}: cannot be read ({})", path.string(), reason));
    fail("{}: is no video that can be read ({}){}", path.string(), reason, kind_hint(path));
}

/// Containers of text art, which FFmpeg "plays" too.
bool is_text(AVCodecID id) {
    return id == AV_CODEC_ID_ANSI || id == AV_CODEC_ID_BINTEXT || id == AV_CODEC_ID_XBIN ||
           id == AV_CODEC_ID_IDF;
}

/// The stream's display matrix, or null.
const std::int32_t* display_matrix(const AVStream& stream) {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 100)  // FFmpeg 6.1
    const AVCodecParameters& parameters = *stream.codecpar;
    const AVPacketSideData* entry = av_packet_side_data_get(
        parameters.coded_side_data, parameters.nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (entry) {
        data = entry->data;
        size = entry->size;
    }
#else
    data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
    return data && size >= 9 * sizeof(std::int32_t) ? reinterpret_cast<const std::int32_t*>(data) : nullptr;
}

std::int64_t duration_stamp(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_MAJOR >= 58
    return frame.duration;
#else
    return frame.pkt_duration;
#endif
}

}  // namespace

FileDecoder::FileDecoder(const fs::path& path, const VideoOptions& options)
    : path_(path), file_(path, options.external, options.stop) {
    refuse_stand_in(path);
    ffmpeg::catch_messages();
    ffmpeg::forget_complaints();
    open_container(options.max_pixels);
    choose_stream(options.stream);
    open_codec(options.max_pixels, options.threads);
}

void FileDecoder::open_container(std::int64_t max_pixels) {
    int code = 0;
    input_ = file_.open(code);
    checked(code, path_);
    input_->opaque = complaints_.get();
    // Probing decodes frames already, so the limit has to hold there too; one dictionary a stream.
    std::vector<AVDictionary*> probing(input_->nb_streams, nullptr);
    for (auto& dict : probing) av_dict_set_int(&dict, "max_pixels", max_pixels, 0);
    code = avformat_find_stream_info(input_.get(), probing.empty() ? nullptr : probing.data());
    for (auto& dict : probing) av_dict_free(&dict);
    file_.check();
    checked(code, path_);
}

void FileDecoder::choose_stream(int wanted) {
    const int index = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, wanted, -1, nullptr, 0);
    const bool cover = index >= 0 && (input_->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (index < 0 || cover || is_text(input_->streams[index]->codecpar->codec_id)) {
        int audio = 0;
        for (unsigned i = 0; i < input_->nb_streams; ++i) {
            audio += input_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO ? 1 : 0;
        }
        if (wanted >= 0) fail("{}: stream {} is no video", path_.string(), wanted);
        if (audio > 0) fail("{}: holds sound alone, expected a video", path_.string());
        fail("{}: holds no video", path_.string());
    }
    stream_ = input_->streams[index];
    for (unsigned i = 0; i < input_->nb_streams; ++i) {
        if (static_cast<int>(i) != index) input_->streams[i]->discard = AVDISCARD_ALL;
    }
    if (stream_->start_time != AV_NOPTS_VALUE) origin_ = stream_->start_time;
}

void FileDecoder::open_codec(std::int64_t max_pixels, int threads) {
    const AVCodecParameters& parameters = *stream_->codecpar;
    if (parameters.height > 0 && parameters.width > max_pixels / parameters.height) {
        fail("{}: frames of {}x{} pixels, the limit is {} pixels (--max-pixels raises it)", path_.string(),
             parameters.width, parameters.height, max_pixels);
    }
    const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
    if (!codec) {
        fail("{}: this FFmpeg has no decoder for {}", path_.string(), avcodec_get_name(parameters.codec_id));
    }
    codec_.reset(ffmpeg::required(avcodec_alloc_context3(codec)));
    checked(avcodec_parameters_to_context(codec_.get(), &parameters), path_);
    codec_->pkt_timebase = stream_->time_base;
    codec_->opaque = complaints_.get();
    codec_->max_pixels = max_pixels;
    codec_->thread_count = threads;
    checked(avcodec_open2(codec_.get(), codec, nullptr), path_);
}

bool FileDecoder::seek(double seconds) {
    if ((input_->iformat->flags & AVFMT_NOTIMESTAMPS) != 0) return false;
    const std::int64_t begin = origin_ == AV_NOPTS_VALUE ? 0 : origin_;
    const auto stamp = begin + static_cast<std::int64_t>(std::floor(seconds / av_q2d(stream_->time_base)));
    const int code = av_seek_frame(input_.get(), stream_->index, stamp, AVSEEK_FLAG_BACKWARD);
    file_.check();
    if (code < 0) return false;
    avcodec_flush_buffers(codec_.get());
    draining_ = timed_ = after_gap_ = gap_pending_ = stale_ = false;
    sought_ = true;
    return true;
}

const AVFrame* FileDecoder::next() {
    for (;;) {
        const int code = avcodec_receive_frame(codec_.get(), frame_.get());
        if (code == AVERROR_EOF) return nullptr;
        if (code == AVERROR(EAGAIN)) {
            if (draining_) return nullptr;
            feed();
            continue;
        }
        if (code < 0) {
            note_damage(code);
            if (errors_in_a_row_ > most_errors_in_a_row) return nullptr;
            continue;
        }
        measure_time();
        if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame_->decode_error_flags != 0 || stale_) {
            note_damage(AVERROR_INVALIDDATA);
            continue;
        }
        errors_in_a_row_ = 0;
        after_gap_ = std::exchange(gap_pending_, false);
        if (after_gap_ && given_ > 0) count_missing();
        damaged_before_ = damaged_;
        given_end_ = time_ + duration_;
        ++given_;
        return frame_.get();
    }
}

void FileDecoder::feed() {
    for (;;) {
        int code = av_read_frame(input_.get(), packet_.get());
        file_.check();
        ffmpeg::check_memory(code, path_);
        if (code < 0) {
            if (code != AVERROR(EAGAIN) && ffmpeg::is_shortage(code)) checked(code, path_);
            if (code != AVERROR_EOF) complaints_->add(ffmpeg::complaint(code));
            if (code == AVERROR_INVALIDDATA && ++errors_in_a_row_ < most_errors_in_a_row) continue;
            avcodec_send_packet(codec_.get(), nullptr);
            draining_ = true;
            return;
        }
        const bool ours = packet_->stream_index == stream_->index;
        if (ours) {
            ++packets_;
            code = avcodec_send_packet(codec_.get(), packet_.get());
        }
        av_packet_unref(packet_.get());
        if (!ours) continue;
        ffmpeg::check_memory(code, path_);
        if (code < 0 && code != AVERROR(EAGAIN) && code != AVERROR_EOF) note_damage(code);
        return;
    }
}

void FileDecoder::note_damage(int code) {
    ffmpeg::check_memory(code, path_);
    if (complaints_->count() == 0) complaints_->add(ffmpeg::complaint(code));
    ++damaged_;
    ++errors_in_a_row_;
    gap_pending_ = true;
}

/// Where frames are gone without a trace, the time that passed tells how many.
void FileDecoder::count_missing() {
    const auto missing = std::llround((time_ - given_end_) / duration_);
    damaged_ = std::max<std::int64_t>(damaged_, damaged_before_ + missing);
}

void FileDecoder::measure_time() {
    const double unit = av_q2d(stream_->time_base);
    const double previous = time_, previous_duration = duration_;
    const double rate = fps();
    duration_ = static_cast<double>(duration_stamp(*frame_)) * unit;
    if (!(duration_ > 0)) duration_ = rate > 0 ? 1 / rate : 0.04;

    stale_ = false;
    const std::int64_t stamp = frame_->best_effort_timestamp;
    if (stamp == AV_NOPTS_VALUE) {
        time_ = timed_ ? previous + previous_duration : 0;
    } else {
        if (origin_ == AV_NOPTS_VALUE) origin_ = stamp;
        const double raw = (static_cast<double>(stamp) - static_cast<double>(origin_)) * unit;
        time_ = raw - shift_;
        const bool back = timed_ && time_ < previous - duration_ / 2;
        backward_ = back ? backward_ + 1 : 0;
        stale_ = back && damaged_ > 0 && backward_ <= most_stale_in_a_row;
        if (!stale_ && timed_ && (time_ > previous + longest_pause || time_ < previous - 1)) {
            shift_ = raw - (previous + previous_duration);  // the clock jumped: go on from where we were
            time_ = raw - shift_;
        }
        if (timed_) time_ = std::max(time_, previous);
    }
    timed_ = true;
}

Orientation FileDecoder::orientation() const {
    const AVFrameSideData* data = av_frame_get_side_data(frame_.get(), AV_FRAME_DATA_DISPLAYMATRIX);
    if (data && data->size >= 9 * sizeof(std::int32_t)) {
        return orientation_of(reinterpret_cast<const std::int32_t*>(data->data));
    }
    return orientation_of(display_matrix(*stream_));
}

AVRational FileDecoder::pixel_aspect() const {
    return av_guess_sample_aspect_ratio(input_.get(), stream_, frame_.get());
}

std::string FileDecoder::complaint() const {
    return ffmpeg::with_hint(complaints_->first());
}

std::string FileDecoder::format() const {
    return fmt::format("{} in {}", avcodec_get_name(stream_->codecpar->codec_id), input_->iformat->name);
}

double FileDecoder::fps() const {
    const AVRational rate = av_guess_frame_rate(input_.get(), stream_, nullptr);
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

double FileDecoder::total_duration() const {
    if (stream_->duration > 0) return static_cast<double>(stream_->duration) * av_q2d(stream_->time_base);
    return input_->duration > 0 ? static_cast<double>(input_->duration) / AV_TIME_BASE : 0;
}

std::int64_t FileDecoder::frames_missing() const {
    return sought_ ? 0 : std::max<std::int64_t>(frames_stored() - packets_, 0);
}

double FileDecoder::seconds_missing() const {
    if (sought_) return 0;
    const double missing = total_duration() - (time_ + duration_);
    // Where only the container gives a length it may be that of the sound.
    const double tolerance = stream_->duration > 0 ? 2.5 * duration_ : std::max(1.0, 2.5 * duration_);
    return missing > tolerance ? missing : 0;
}

}  // namespace stl
