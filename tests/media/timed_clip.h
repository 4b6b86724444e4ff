// Clips whose frames show when a test says, written without an encoder: the pictures are PNG.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include <libavformat/avformat.h>
}

#include "stl/core/file.h"
#include "stl/media/png.h"

namespace stl::test {

struct TimedClip {
    std::vector<int> times;  ///< of the frames, in milliseconds
    int frame_duration = 0;  ///< in milliseconds; 0: the file says nothing of it
    int rate = 0;            ///< frames a second that the file claims; 0: none
    int sound = 0;           ///< milliseconds of silence beside it
};

/// Frame k is flat, of value 10 k (modulo 250). `container`: FFmpeg's name of it, such as "matroska".
inline void write_clip(const fs::path& path, const std::string& container, const TimedClip& clip) {
    const auto check = [](int code) {
        if (code < 0) throw std::runtime_error("a clip for a test can't be written");
    };
    AVFormatContext* made = nullptr;
    check(avformat_alloc_output_context2(&made, nullptr, container.c_str(), path.c_str()));
    const std::unique_ptr<AVFormatContext, void (*)(AVFormatContext*)> output(made, [](AVFormatContext* c) {
        avio_closep(&c->pb);
        avformat_free_context(c);
    });
    AVStream* video = avformat_new_stream(made, nullptr);
    video->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    video->codecpar->codec_id = AV_CODEC_ID_PNG;
    video->codecpar->width = video->codecpar->height = 16;
    video->time_base = {1, 1000};
    if (clip.rate > 0) video->avg_frame_rate = {clip.rate, 1};
    if (clip.sound > 0) {
        AVCodecParameters& sound = *avformat_new_stream(made, nullptr)->codecpar;
        sound.codec_type = AVMEDIA_TYPE_AUDIO;
        sound.codec_id = AV_CODEC_ID_PCM_S16LE;
        sound.format = AV_SAMPLE_FMT_S16;
        sound.sample_rate = 8000;
        sound.bits_per_coded_sample = 16;
        sound.block_align = 2;
        sound.bit_rate = 128000;
        sound.ch_layout = AV_CHANNEL_LAYOUT_MONO;
    }
    check(avio_open(&made->pb, path.c_str(), AVIO_FLAG_WRITE));
    check(avformat_write_header(made, nullptr));
    const auto write = [&](int stream, int time, int duration, const std::string& bytes) {
        const std::unique_ptr<AVPacket, void (*)(AVPacket*)> packet(av_packet_alloc(),
                                                                    [](AVPacket* p) { av_packet_free(&p); });
        check(av_new_packet(packet.get(), static_cast<int>(bytes.size())));
        std::memcpy(packet->data, bytes.data(), bytes.size());
        packet->stream_index = stream;
        packet->pts = packet->dts = time;
        packet->duration = duration;
        packet->flags = AV_PKT_FLAG_KEY;
        av_packet_rescale_ts(packet.get(), {1, 1000}, made->streams[stream]->time_base);
        check(av_interleaved_write_frame(made, packet.get()));
    };
    constexpr int sound_step = 100;
    int heard = 0;
    const auto write_sound = [&](int until) {
        for (; heard < std::min(until, clip.sound); heard += sound_step)
            write(1, heard, sound_step, std::string(16 * sound_step, '\0'));
    };
    for (std::size_t k = 0; k < clip.times.size(); ++k) {
        write_sound(clip.times[k]);
        const Image picture(16, 16, 1, static_cast<std::uint8_t>(10 * k % 250));
        write(0, clip.times[k], clip.frame_duration, encode_png(picture));
    }
    write_sound(clip.sound);
    check(av_write_trailer(made));
}

/// A GIF of one pixel whose frames show for so many hundredths of a second each.
inline std::string tiny_gif(const std::vector<int>& delays) {
    using namespace std::string_literals;
    std::string bytes = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"s;
    for (const int delay : delays) {
        bytes += "\x21\xf9\4\0"s + static_cast<char>(delay) + static_cast<char>(delay >> 8) + "\0\0"s;
        bytes += "\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"s;
    }
    return bytes + "\x3b";
}

}  // namespace stl::test
