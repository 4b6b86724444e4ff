// FFmpeg's handles as values that clean up after themselves, and its messages caught instead of printed.
// Used by the sources of this folder alone.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
}

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "stl/core/file.h"

namespace stl::ffmpeg {

struct Closer {
    void operator()(AVFormatContext* c) const { avformat_close_input(&c); }
    void operator()(AVCodecContext* c) const { avcodec_free_context(&c); }
    void operator()(AVFrame* f) const { av_frame_free(&f); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
};
using Input = std::unique_ptr<AVFormatContext, Closer>;
using Codec = std::unique_ptr<AVCodecContext, Closer>;
using FramePtr = std::unique_ptr<AVFrame, Closer>;
using PacketPtr = std::unique_ptr<AVPacket, Closer>;

/// The allocating calls of FFmpeg give null when memory is out.
template <class T>
T* required(T* pointer) {
    if (!pointer) throw std::bad_alloc();
    return pointer;
}
inline FramePtr make_frame() {
    return FramePtr(required(av_frame_alloc()));
}
inline PacketPtr make_packet() {
    return PacketPtr(required(av_packet_alloc()));
}

/// Options for a codec or container.
class Options {
  public:
    Options() = default;
    ~Options() { av_dict_free(&dict_); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
    void set(const char* key, const std::string& value) { av_dict_set(&dict_, key, value.c_str(), 0); }
    AVDictionary** get() { return &dict_; }

  private:
    AVDictionary* dict_ = nullptr;
};

/// The error messages of one codec or container, from whichever of its threads. Its address goes into the
/// `opaque` of the AVCodecContext or AVFormatContext.
class Complaints {
  public:
    void add(const std::string& text);
    std::int64_t count() const;
    std::string first() const;

  private:
    mutable std::mutex mutex_;
    std::int64_t count_ = 0;
    std::string first_;
};

/// From now on FFmpeg prints nothing: its error messages go to the Complaints of their context, those of
/// contexts without one are kept for their thread. Call before any other use.
void catch_messages();
/// What FFmpeg last said in this thread, and forgets it; else the text of `code`.
std::string complaint(int code);
void forget_complaints();
/// Whether FFmpeg's `code` means a shortage of open files, threads or memory. It says ENOMEM of absurd
/// sizes in damaged files too: then there is memory still.
bool is_shortage(int code);
/// Error where `code` is ENOMEM, a Shortage if it means one.
void check_memory(int code, const fs::path& path);
/// FFmpeg's message, and the option that helps where its limit of pixels was met.
std::string with_hint(std::string message);

}  // namespace stl::ffmpeg
