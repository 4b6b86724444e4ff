#include "stl/media/packet_scan.h"

#include <algorithm>
#include <cmath>

#include "stl/media/container.h"
#include "stl/media/input_file.h"

namespace stl {
namespace {

void note(PacketScan& scan, const AVPacket& packet, const AVStream& stream, bool wanted) {
    const std::int64_t stamp = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
    const double unit = av_q2d(stream.time_base);
    const double time = static_cast<double>(stamp) * unit;
    const double duration = static_cast<double>(packet.duration) * unit;
    if (wanted && is_shown(packet, stream)) {
        scan.stamps.add(decoding_time(packet, stream));
        ++scan.frames;
    }
    if (stamp == AV_NOPTS_VALUE) return;
    if (!wanted) {
        scan.others_end = std::max(scan.others_end, time + duration);
        return;
    }
    scan.length.add(time, duration, (packet.flags & AV_PKT_FLAG_KEY) != 0);
    if (time >= scan.last) {
        scan.last = time;
        scan.last_duration = duration;
    }
}

}  // namespace

void FilmLength::add(double time, double duration, bool key) {
    constexpr double most_reordered =
        1;  // frames come behind later ones that they refer to, but films begin with a key
    if (!any_ || (key && time < end_ - most_reordered)) {
        whole_ += end_ - begin_;
        begin_ = end_ = time;
        any_ = true;
    }
    begin_ = std::min(begin_, time);
    end_ = std::max(end_, time + duration);
}

PacketScan scan_packets(const fs::path& path, const VideoOptions& options, int index,
                        std::optional<double> from) {
    ffmpeg::Complaints unused;  // whoever decodes the file hears them too
    InputFile file(path, options.external, options.stop);
    const ffmpeg::Input input = open_container(file, path, options.max_pixels, unused);
    if (index >= static_cast<int>(input->nb_streams)) return {TimeStamps(0)};
    const AVStream& stream = *input->streams[index];
    const double unit = av_q2d(stream.time_base);
    PacketScan scan{TimeStamps(unit)};
    if (from && *from > 0) {
        // Where this fails, everything is read.
        av_seek_frame(input.get(), index, static_cast<std::int64_t>(std::floor(*from / unit)),
                      AVSEEK_FLAG_BACKWARD);
        file.check();
    }
    const auto packet = ffmpeg::make_packet();
    while (av_read_frame(input.get(), packet.get()) >= 0) {
        file.check();
        note(scan, *packet, *input->streams[packet->stream_index], packet->stream_index == index);
        av_packet_unref(packet.get());
    }
    file.check();
    return scan;
}

std::optional<double> decoding_time(const AVPacket& packet, const AVStream& stream) {
    const bool reordered = stream.codecpar->video_delay > 0;
    const std::int64_t stamp = reordered || packet.pts == AV_NOPTS_VALUE ? packet.dts : packet.pts;
    if (stamp == AV_NOPTS_VALUE) return std::nullopt;
    return static_cast<double>(stamp) * av_q2d(stream.time_base);
}

bool is_shown(const AVPacket& packet, const AVStream& stream) {
    constexpr unsigned show_frame = 0x10;  // of VP8's first byte
    return stream.codecpar->codec_id != AV_CODEC_ID_VP8 || packet.size == 0 ||
           (packet.data[0] & show_frame) != 0;
}

}  // namespace stl
