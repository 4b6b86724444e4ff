#include "stl/media/ffmpeg.h"

#include <array>
#include <cstdarg>
#include <cstdio>

extern "C" {
#include <libavutil/log.h>
}

#include "stl/core/error.h"

namespace stl::ffmpeg {
namespace {

// FFmpeg has one message callback for the whole process, so what it says can only be kept beside it.
thread_local std::string last_message;

/// Where the messages of an FFmpeg object go, if it or one that it belongs to was given a place for them.
Complaints* place_of(void* context) {
    while (context) {
        const AVClass* kind = *static_cast<const AVClass**>(context);
        if (!kind) break;
        if (kind == avcodec_get_class())
            return static_cast<Complaints*>(static_cast<AVCodecContext*>(context)->opaque);
        if (kind == avformat_get_class()) {
            return static_cast<Complaints*>(static_cast<AVFormatContext*>(context)->opaque);
        }
        if (kind->parent_log_context_offset == 0) break;
        context = *reinterpret_cast<void**>(static_cast<char*>(context) + kind->parent_log_context_offset);
    }
    return nullptr;
}

void on_message(void* context, int level, const char* format, va_list arguments) {
    if (level > AV_LOG_ERROR) return;
    std::array<char, 256> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    std::string text = line.data();
    while (!text.empty() && (text.back() == '\n' || text.back() == '.' || text.back() == ' '))
        text.pop_back();
    for (char& c : text) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    if (text.empty()) return;
    if (Complaints* place = place_of(context)) place->add(text);
    last_message = std::move(text);
}

}  // namespace

void Complaints::add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (count_++ == 0) first_ = text;
}

std::int64_t Complaints::count() const {
    const std::lock_guard lock(mutex_);
    return count_;
}

std::string Complaints::first() const {
    const std::lock_guard lock(mutex_);
    return first_;
}

void catch_messages() {
    static const bool done = (av_log_set_callback(on_message), true);
    (void)done;
}

std::string with_hint(std::string text) {
    if (text.find("max pixel") != std::string::npos) text += " (--max-pixels raises it)";
    return text;
}

std::string complaint(int code) {
    std::string text = with_hint(std::exchange(last_message, {}));
    if (text.empty()) {
        std::array<char, AV_ERROR_MAX_STRING_SIZE> buffer{};
        av_strerror(code, buffer.data(), buffer.size());
        text = buffer.data();
    }
    return text;
}

bool is_shortage(int code) {
    if (code != AVERROR(ENOMEM)) return stl::is_shortage(AVUNERROR(code));
    constexpr std::size_t large_picture = std::size_t{256} << 20;
    void* block = av_malloc(large_picture);
    av_free(block);
    return block == nullptr;
}

void check_memory(int code, const fs::path& path) {
    if (code != AVERROR(ENOMEM)) return;
    fail_call(is_shortage(code) ? ENOMEM : 0, "{}: is damaged, or needs more memory than is available",
              path.string());
}

void forget_complaints() {
    last_message.clear();
}

}  // namespace stl::ffmpeg
