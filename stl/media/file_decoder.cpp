#include "stl/media/file_decoder.h"

#include <array>
#include <cmath>
#include <string_view>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/media/container.h"
#include "stl/media/frame_scaler.h"
#include "stl/media/packet_scan.h"

namespace stl {
namespace {

constexpr int most_errors_in_a_row = 1000;
/// A longer pause between two frames is a broken time stamp, unless the file lasts that long.
constexpr double longest_sure_pause = 60;
/// A longer one is a broken time stamp in any case.
constexpr double longest_pause = 24 * 3600;
/// How far is read ahead to see whether the time stamps fit the guessed rate.
constexpr int most_packets_ahead = 128;
constexpr std::size_t most_bytes_ahead = 8 << 20;
/// What a decoder may hold back after the container complained.
constexpr int most_frames_in_decoder = 64;
/// More of them are a clock that was set back.
constexpr int most_stale_in_a_row = 16;

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
    : path_(path), options_(options), file_(path, options.external, options.stop) {
    refuse_stand_in(path);
    ffmpeg::catch_messages();
    ffmpeg::forget_complaints();
    input_ = open_container(file_, path_, options.max_pixels, *container_complaints_);
    container_complaints_heard_ = container_complaints_->count();
    choose_stream(options.stream);
    open_codec(options.max_pixels, options.threads);
    if (only_counts_frames()) origin_ = AV_NOPTS_VALUE;
    total_ = stated_duration();
    fps_ = guessed_rate();
    if (!stamps_agree()) measure_rate();
    if (others_may_be_longer()) leave_out_others();
    if (options.measured && !states_its_length()) measure_length();
}

void FileDecoder::choose_stream(int wanted) {
    const int index = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, wanted, -1, nullptr, 0);
    const bool cover = index >= 0 && (input_->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (index < 0 || cover || is_text(input_->streams[index]->codecpar->codec_id)) {
        int audio = 0;
        for (unsigned i = 0; i < input_->nb_streams; ++i) {
            audio += input_->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO ? 1 : 0;
        }
        if (wanted >= 0) fail("{}: stream {} is not a video", path_.string(), wanted);
        if (audio > 0) fail("{}: holds sound alone, expected a video", path_.string());
        fail("{}: holds no video", path_.string());
    }
    stream_ = input_->streams[index];
    for (unsigned i = 0; i < input_->nb_streams; ++i) {
        if (static_cast<int>(i) != index) input_->streams[i]->discard = AVDISCARD_ALL;
    }
    if (stream_->start_time == AV_NOPTS_VALUE) return;
    origin_ = stream_->start_time;
    // Sound may begin before the pictures: players count from there. A moment is its encoder's delay.
    if (input_->start_time == AV_NOPTS_VALUE) return;
    const auto film = av_rescale_q(input_->start_time, {1, AV_TIME_BASE}, stream_->time_base);
    constexpr double moment = 0.1;
    if (static_cast<double>(origin_ - film) * tick() > moment) origin_ = film;
}

/// AVI says when frames are decoded; when they show is known by counting from the first.
bool FileDecoder::only_counts_frames() const {
    const bool reordered = stream_->codecpar->video_delay > 0 || codec_->has_b_frames > 0;
    return reordered && std::string_view(input_->iformat->name) == "avi";
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
    if (only_counts_frames()) return false;
    const std::int64_t begin = origin_ == AV_NOPTS_VALUE ? 0 : origin_;
    const auto stamp = begin + static_cast<std::int64_t>(std::floor(seconds / av_q2d(stream_->time_base)));
    const int code = av_seek_frame(input_.get(), stream_->index, stamp, AVSEEK_FLAG_BACKWARD);
    file_.check();
    if (code < 0) return false;
    ahead_.clear();
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
        after_gap_ = std::exchange(gap_pending_, false) || lost_by_container() || jumped_;
        if (after_gap_ && given_ > 0) count_missing();
        damaged_before_ = damaged_;
        given_end_ = time_ + duration_;
        ++given_;
        // Of joined files, only the first one's length is stated.
        if (total_ > 0 && time_ >= total_) total_ = given_end_;
        return frame_.get();
    }
}

FileDecoder::Read FileDecoder::read_file() {
    Read read;
    read.packet = ffmpeg::make_packet();
    read.code = av_read_frame(input_.get(), read.packet.get());
    read.complaints = container_complaints_->count();
    file_.check();
    ffmpeg::check_memory(read.code, path_);
    if (read.code < 0) {
        if (read.code != AVERROR(EAGAIN) && ffmpeg::is_shortage(read.code)) checked(read.code, path_);
        if (read.code != AVERROR_EOF) complaints_->add(ffmpeg::complaint(read.code));
    }
    return read;
}

FileDecoder::Read FileDecoder::read() {
    if (ahead_.empty()) return read_file();
    Read read = std::move(ahead_.front());
    ahead_.pop_front();
    return read;
}

void FileDecoder::feed() {
    for (;;) {
        const Read got = read();
        if (got.complaints > std::exchange(container_complaints_heard_, got.complaints))
            suspect_until_ = given_ + most_frames_in_decoder;
        if (got.code < 0) {
            if (got.code == AVERROR_INVALIDDATA && ++errors_in_a_row_ < most_errors_in_a_row) continue;
            avcodec_send_packet(codec_.get(), nullptr);
            draining_ = true;
            return;
        }
        if (got.packet->stream_index != stream_->index) continue;
        ++packets_;
        const int code = avcodec_send_packet(codec_.get(), got.packet.get());
        ffmpeg::check_memory(code, path_);
        if (code < 0 && code != AVERROR(EAGAIN) && code != AVERROR_EOF) note_damage(code);
        return;
    }
}

void FileDecoder::note_damage(int code) {
    ffmpeg::check_memory(code, path_);
    if (complaints() == 0) complaints_->add(ffmpeg::complaint(code));
    ++damaged_;
    ++errors_in_a_row_;
    gap_pending_ = true;
}

/// A demuxer reports that it skips what it cannot read, but not where: a jump in time soon afterwards shows it.
bool FileDecoder::lost_by_container() {
    if (given_ == 0 || given_ >= suspect_until_ || time_ - given_end_ < 0.75 * duration_) return false;
    suspect_until_ = 0;
    return true;
}

/// Where frames are gone without a trace, the time that passed shows how many.
void FileDecoder::count_missing() {
    const auto missing = std::llround((time_ - given_end_) / duration_);
    damaged_ = std::max<std::int64_t>(damaged_, damaged_before_ + missing);
}

void FileDecoder::measure_time() {
    const double unit = av_q2d(stream_->time_base);
    const double previous = time_, previous_duration = duration_;
    duration_ = static_cast<double>(duration_stamp(*frame_)) * unit;
    if (!(duration_ > 0)) duration_ = fps_ > 0 ? 1 / fps_ : 0.04;

    stale_ = jumped_ = false;
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
        const bool jumped = time_ > previous + longest_sure_pause && !is_pause(previous, raw);
        // Joined files begin again where the first one did.
        const bool begins_again = raw < duration_ && time_ < previous - 3 * duration_;
        if (!stale_ && timed_ && (jumped || begins_again || time_ < previous - 1)) {
            shift_ = raw - (previous + previous_duration);  // the clock jumped: go on from where we were
            time_ = raw - shift_;
            jumped_ = true;
        }
        if (timed_) time_ = std::max(time_, previous);
    }
    timed_ = true;
}

/// Clocks of broadcasts jump; in other files a stamp within the file's length is meant.
bool FileDecoder::is_pause(double from, double to) const {
    if ((input_->iformat->flags & AVFMT_TS_DISCONT) != 0 || to > from + longest_pause) return false;
    const double whole = static_cast<double>(input_->duration) / AV_TIME_BASE;  // negative: not known
    return to <= std::max(total_, whole) + 1;
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
    const bool decoder = complaints_->count() > 0;
    return ffmpeg::with_hint((decoder ? complaints_ : container_complaints_)->first());
}

std::string FileDecoder::format() const {
    return fmt::format("{} in {}", avcodec_get_name(stream_->codecpar->codec_id), input_->iformat->name);
}

double FileDecoder::guessed_rate() const {
    const AVRational rate = av_guess_frame_rate(input_.get(), stream_, nullptr);
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

double FileDecoder::stated_duration() const {
    if (stream_->duration > 0) return static_cast<double>(stream_->duration) * tick() + first_picture_at();
    return input_->duration > 0 ? static_cast<double>(input_->duration) / AV_TIME_BASE : 0;
}

/// Where the stream begins, from the beginning of the film on.
double FileDecoder::first_picture_at() const {
    const bool known = stream_->start_time != AV_NOPTS_VALUE && origin_ != AV_NOPTS_VALUE;
    return known ? static_cast<double>(stream_->start_time - origin_) * tick() : 0;
}

bool FileDecoder::stamps_agree() {
    if ((input_->iformat->flags & AVFMT_NOTIMESTAMPS) != 0) return true;
    const AVFieldOrder fields = stream_->codecpar->field_order;
    if (fields != AV_FIELD_UNKNOWN && fields != AV_FIELD_PROGRESSIVE) return true;  // packets may be fields
    const TimeStamps indexed = indexed_stamps();
    if (!(indexed.rate() > 0)) return look_ahead().agree_with(fps_);
    if (indexed.agree_with(fps_)) return true;
    fps_ = indexed.rate();
    return true;
}

/// Of all frames, where the container's index has them all (MP4, MOV); else none.
TimeStamps FileDecoder::indexed_stamps() const {
    TimeStamps stamps(tick());
    const int count = avformat_index_get_entries_count(stream_);
    if (count < 2 || count != stream_->nb_frames) return stamps;
    for (int i = 0; i < count; ++i) {
        const AVIndexEntry& entry = *avformat_index_get_entry(stream_, i);
        if ((entry.flags & AVINDEX_DISCARD_FRAME) != 0) continue;  // before the beginning of the film
        stamps.add(static_cast<double>(entry.timestamp) * tick());
    }
    return stamps;
}

/// Of the first frames, whose packets are kept.
TimeStamps FileDecoder::look_ahead() {
    TimeStamps stamps(tick());
    std::size_t bytes = 0;
    while (ahead_.size() < most_packets_ahead && bytes < most_bytes_ahead) {
        const Read& got = ahead_.emplace_back(read_file());
        if (got.code < 0) break;
        bytes += static_cast<std::size_t>(got.packet->size);
        if (got.packet->stream_index == stream_->index && is_shown(*got.packet, *stream_))
            stamps.add(decoding_time(*got.packet, *stream_));
    }
    return stamps;
}

/// Frames over time of the whole file. It costs a reading, so only where FFmpeg's guess can't be right.
void FileDecoder::measure_rate() {
    const PacketScan scan = scan_packets(path_, options_, stream_->index);
    if (scan.stamps.agree_with(fps_)) return;
    // Where the file does not say how long a frame shows, FFmpeg takes it from its guess.
    const bool stated =
        scan.last_duration > 0 && !(fps_ > 0 && std::abs(scan.last_duration - 1 / fps_) <= tick());
    fps_ = scan.stamps.rate(stated ? scan.last_duration : 0);
    if (!(total_ > 0) && fps_ > 0) total_ = scan.last + (stated ? scan.last_duration : 1 / fps_) - begin();
}

/// Whether the length is that of the frames there are: MP4 and MOV list them all.
bool FileDecoder::states_its_length() const {
    return std::string_view(input_->iformat->name).starts_with("mov") && stream_->duration > 0;
}

/// Of files that were joined, and of those that do not say. Clocks of broadcasts may jump ahead.
void FileDecoder::measure_length() {
    const PacketScan scan = scan_packets(path_, options_, stream_->index);
    const bool without_stamps = !(scan.length.value() > 0);
    if (without_stamps && fps_ > 0) total_ = static_cast<double>(scan.frames) / fps_;
    const bool clock_may_jump = (input_->iformat->flags & AVFMT_TS_DISCONT) != 0;
    const double most =
        clock_may_jump && fps_ > 0 ? 2 * static_cast<double>(scan.frames) / fps_ : longest_pause;
    const double length = first_picture_at() + std::min(scan.length.value(), most);
    if (length > 1.01 * total_) total_ = length;
}

/// Some containers have one length for all their streams, and in ASF each stream has that.
bool FileDecoder::others_may_be_longer() const {
    const std::string_view format = input_->iformat->name;
    const bool own_length = stream_->duration > 0 && format != "asf" && format != "asf_o";
    if (own_length || !(input_->duration > 0) || (input_->iformat->flags & AVFMT_NOTIMESTAMPS) != 0)
        return false;
    for (unsigned i = 0; i < input_->nb_streams; ++i) {
        const AVStream& other = *input_->streams[i];
        const bool cover = (other.disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
        const AVMediaType type = other.codecpar->codec_type;
        if (&other != stream_ && !cover && type != AVMEDIA_TYPE_ATTACHMENT && type != AVMEDIA_TYPE_UNKNOWN)
            return true;
    }
    return false;
}

/// The video ends with its last packet, if the file is there to its end: of one that is cut off nobody knows.
void FileDecoder::leave_out_others() {
    const double start = std::max(
        input_->start_time == AV_NOPTS_VALUE ? 0.0 : static_cast<double>(input_->start_time) / AV_TIME_BASE,
        0.0);
    const double end = start + static_cast<double>(input_->duration) / AV_TIME_BASE;
    const PacketScan scan = scan_packets(path_, options_, stream_->index, end);
    constexpr double tolerance = 1;
    if (std::max(scan.last, scan.others_end) < end - tolerance) return;
    const double shows = scan.last_duration > 0 ? scan.last_duration : fps_ > 0 ? 1 / fps_ : 0;
    const double measured = scan.last + shows - begin();
    if (measured > 0) total_ = std::min(total_, measured);
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
