#include "stl/media/picture_decoder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/media/frame_scaler.h"
#include "stl/media/picture_stack.h"
#include "stl/media/tiff_pages.h"

namespace stl {
namespace {

struct Magic {
    std::string_view bytes;
    AVCodecID codec;
};

using namespace std::string_view_literals;
constexpr std::array magics{
    Magic{"\x89PNG"sv, AV_CODEC_ID_PNG},
    Magic{"\xff\xd8\xff"sv, AV_CODEC_ID_MJPEG},
    Magic{"RIFF"sv, AV_CODEC_ID_WEBP},
    Magic{"BM"sv, AV_CODEC_ID_BMP},
    Magic{"P1"sv, AV_CODEC_ID_PBM},
    Magic{"P4"sv, AV_CODEC_ID_PBM},
    Magic{"P2"sv, AV_CODEC_ID_PGM},
    Magic{"P5"sv, AV_CODEC_ID_PGM},
    Magic{"P3"sv, AV_CODEC_ID_PPM},
    Magic{"P6"sv, AV_CODEC_ID_PPM},
    Magic{"P7"sv, AV_CODEC_ID_PAM},
    Magic{"SDPX"sv, AV_CODEC_ID_DPX},
    Magic{"XPDS"sv, AV_CODEC_ID_DPX},
    Magic{"\x76\x2f\x31\x01"sv, AV_CODEC_ID_EXR},
    Magic{"\x01\xda"sv, AV_CODEC_ID_SGI},
    Magic{"\x59\xa6\x6a\x95"sv, AV_CODEC_ID_SUNRAST},
    Magic{"\0\0\0\x0cjP  "sv, AV_CODEC_ID_JPEG2000},
    Magic{"\xff\x4f\xff\x51"sv, AV_CODEC_ID_JPEG2000},
};

AVCodecID codec_of(std::string_view bytes, const fs::path& path) {
    for (const auto& magic : magics) {
        if (bytes.starts_with(magic.bytes)) return magic.codec;
    }
    // Nothing at the beginning of a TGA says what it is.
    return lower_case(path.extension().string()) == ".tga" ? AV_CODEC_ID_TARGA : AV_CODEC_ID_NONE;
}

[[noreturn]] void refuse(const fs::path& path, int code, const ffmpeg::Complaints& said) {
    ffmpeg::check_memory(code, path);
    const std::string first = said.first();
    fail("{}: cannot be decoded ({})", path.string(),
         first.empty() ? ffmpeg::complaint(code) : ffmpeg::with_hint(first));
}

/// The bytes of a picture as FFmpeg wants them, with zeros behind.
ffmpeg::PacketPtr packet_of(std::span<const std::byte> file) {
    ffmpeg::PacketPtr packet = ffmpeg::make_packet();
    if (av_new_packet(packet.get(), static_cast<int>(file.size())) < 0) throw std::bad_alloc();
    std::transform(file.begin(), file.end(), packet->data,
                   [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return packet;
}

void refuse_stack(const PictureStack& stack, const fs::path& path) {
    if (stack.count > 1) {
        fail("{}: holds {}, expected a single picture; given by itself it is read as a film", path.string(),
             contents_of(stack));
    }
}

std::string read_picture_file(const fs::path& path) {
    // Not mapped: a file that is cut short under our hands must not end the program.
    std::error_code ec;
    const auto size = fs::file_size(path, ec);
    if (!ec) require_memory(size, path.string());
    return read_text(path, INT_MAX);
}

}  // namespace

DecodedPicture decode_packet(const AVPacket& file, AVCodecID id, const fs::path& path,
                             const PictureForm& form) {
    ffmpeg::catch_messages();
    ffmpeg::forget_complaints();
    const AVCodec* codec = avcodec_find_decoder(id);
    if (!codec) fail("{}: not a picture that can be read", path.string());
    ffmpeg::Complaints said;  // outlives the context, whose messages it takes
    const ffmpeg::Codec context(ffmpeg::required(avcodec_alloc_context3(codec)));
    context->opaque = &said;
    context->max_pixels = form.max_pixels;
    context->thread_count = 1;
    if (const int code = avcodec_open2(context.get(), codec, nullptr); code < 0) refuse(path, code, said);
    if (const int code = avcodec_send_packet(context.get(), &file); code < 0) refuse(path, code, said);
    avcodec_send_packet(context.get(), nullptr);
    const ffmpeg::FramePtr frame = ffmpeg::make_frame();
    if (const int code = avcodec_receive_frame(context.get(), frame.get()); code < 0)
        refuse(path, code, said);
    if ((frame->flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame->decode_error_flags != 0) {
        refuse(path, AVERROR_INVALIDDATA, said);
    }
    const AVFrameSideData* turned = av_frame_get_side_data(frame.get(), AV_FRAME_DATA_DISPLAYMATRIX);
    const bool known = turned && turned->size >= 9 * sizeof(std::int32_t);
    FrameScaler scaler(form.height, form.width, form.channels, form.fit, form.deep);
    Picture picture = scaler.scale(
        *frame, orientation_of(known ? reinterpret_cast<const std::int32_t*>(turned->data) : nullptr),
        {0, 1});
    return {std::move(picture), frame->height, frame->width};
}

DecodedPicture decode_picture(const fs::path& path, const PictureForm& form) {
    const std::string file = read_picture_file(path);
    return decode_picture(std::as_bytes(std::span(file)), path, form);
}

DecodedPicture decode_picture(std::span<const std::byte> file, const fs::path& path,
                              const PictureForm& form) {
    if (const auto what = stand_in(file); !what.empty()) fail("{}: {}", path.string(), what);
    const PictureStack stack = stack_of(file);
    refuse_stack(stack, path);
    if (stack.kind == PictureStack::Kind::tiff) return TiffPages(file, path).decode(0, form);
    const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
    const AVCodecID id = codec_of(bytes, path);
    if (id == AV_CODEC_ID_NONE || bytes.size() > std::size_t{INT_MAX})
        fail("{}: not a picture that can be read", path.string());
    return decode_packet(*packet_of(file), id, path, form);
}

}  // namespace stl
