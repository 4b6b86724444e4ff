#include "stl/media/picture_decoder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/memory.h"
#include "stl/media/frame_scaler.h"

namespace stl {
namespace {

struct Magic {
    std::string_view bytes;
    AVCodecID codec;
};

using namespace std::string_view_literals;
constexpr std::array magics{
    Magic{"\x89PNG"sv, AV_CODEC_ID_PNG}, Magic{"\xff\xd8\xff"sv, AV_CODEC_ID_MJPEG},
    Magic{"II*\0"sv, AV_CODEC_ID_TIFF},  Magic{"MM\0*"sv, AV_CODEC_ID_TIFF},
    Magic{"RIFF"sv, AV_CODEC_ID_WEBP},   Magic{"BM"sv, AV_CODEC_ID_BMP},
    Magic{"P5"sv, AV_CODEC_ID_PGM},      Magic{"P6"sv, AV_CODEC_ID_PPM},
};

AVCodecID codec_of(std::string_view bytes) {
    for (const auto& magic : magics) {
        if (bytes.starts_with(magic.bytes)) return magic.codec;
    }
    return AV_CODEC_ID_NONE;
}

[[noreturn]] void refuse(const fs::path& path, int code, const ffmpeg::Complaints& said) {
    ffmpeg::check_memory(code, path);
    const std::string first = said.first();
    fail("{}: cannot be decoded ({})", path.string(),
         first.empty() ? ffmpeg::complaint(code) : ffmpeg::with_hint(first));
}

}  // namespace

DecodedPicture decode_picture(const fs::path& path, const PictureForm& form) {
    // Not mapped: a file that is cut short under our hands must not end the program.
    std::error_code ec;
    const auto size = fs::file_size(path, ec);
    if (!ec) require_memory(size, path.string());
    const std::string file = read_text(path, INT_MAX);
    return decode_picture(std::as_bytes(std::span(file)), path, form);
}

DecodedPicture decode_picture(std::span<const std::byte> file, const fs::path& path,
                              const PictureForm& form) {
    if (const auto what = stand_in(file); !what.empty()) fail("{}: {}", path.string(), what);
    ffmpeg::catch_messages();
    ffmpeg::forget_complaints();
    const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
    const AVCodec* codec = avcodec_find_decoder(codec_of(bytes));
    if (!codec || bytes.size() > std::size_t{INT_MAX})
        fail("{}: is no picture that can be read", path.string());

    ffmpeg::Complaints said;  // outlives the context, whose messages it takes
    const ffmpeg::Codec context(ffmpeg::required(avcodec_alloc_context3(codec)));
    context->opaque = &said;
    context->max_pixels = form.max_pixels;
    context->thread_count = 1;
    if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0) refuse(path, code, said);
    const ffmpeg::PacketPtr packet = ffmpeg::make_packet();
    if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) throw std::bad_alloc();
    std::copy(bytes.begin(), bytes.end(), packet->data);
    if (const int code = avcodec_send_packet(context.get(), packet.get()); code < 0) refuse(path, code, said);
    avcodec_send_packet(context.get(), nullptr);
    const ffmpeg::FramePtr frame = ffmpeg::make_frame();
    if (const int code = avcodec_receive_frame(context.get(), frame.get()); code < 0)
        refuse(path, code, said);
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
        refuse(path, AVERROR_INVALIDDATA, said);
    }
    const AVFrameSideData* turned = av_frame_get_side_data(frame.get(), AV_FRAME_DATA_DISPLAYMATRIX);
    const bool known = turned && turned->size >= 9 * sizeof(std::int32_t);
    FrameScaler scaler(form.height, form.width, form.channels, form.fit);
    Image image = scaler.scale(
        *frame, orientation_of(known ? reinterpret_cast<const std::int32_t*>(turned->data) : nullptr),
        {0, 1});
    return {std::move(image), frame->height, frame->width};
}

}  // namespace stl
