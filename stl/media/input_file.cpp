#include "stl/media/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

extern "C" {
#include <libavutil/avstring.h>
}

#include "stl/core/error.h"
#include "stl/core/utf8.h"

namespace stl {
namespace {

/// FFmpeg's own is an eighth of it; what is larger than this is read past it.
constexpr int buffer_bytes = 256 << 10;

/// FFmpeg's formats (demuxers) of video, of pictures, and of sound, about which a better message is given. Each reads
/// its own file alone; whatever is not here is not opened.
constexpr const char* known_formats =
    // containers
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,asf_o,ogg,nut,mxf,mxf_opatom,rm,ivr,gxf,dv,ivf,"
    "wtv,lxf,swf,"
    "dhav,mpjpeg,kux,pmp,nuv,ifv,vividas,vivo,viv,"
    // streams of one codec
    "h261,h263,h264,hevc,vvc,evc,av1,obu,m4v,mpegvideo,mjpeg,mjpeg_2000,smjpeg,dirac,dnxhd,vc1,vc1test,"
    "cavsvideo,avs2,"
    "avs3,ingenient,yuv4mpegpipe,rawvideo,bitpacked,v210,v210x,v410,apv,"
    // animations and pictures
    "gif,apng,image2,webp,webp_anim,jpegxl_anim,flic,mng,ico,fits,filmstrip,cine,dxa,roq,cdxl,"
    "bmp_pipe,cri_pipe,dds_pipe,dpx_pipe,exr_pipe,gem_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,"
    "jpegxl_pipe,"
    "jpegxs_pipe,pam_pipe,pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,pgmyuv_pipe,pgx_pipe,phm_pipe,photocd_pipe,"
    "pictor_pipe,"
    "png_pipe,ppm_pipe,psd_pipe,qdraw_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,svg_pipe,tiff_pipe,vbn_pipe,webp_"
    "pipe,"
    "xbm_pipe,xpm_pipe,xwd_pipe,"
    // old games
    "4xm,avs,bethsoftvid,bfi,bink,bmv,c93,dsicin,ea,film_cpk,hnm,idcin,ipmovie,jv,lmlm4,mm,mods,moflex,mtv,"
    "mv,mvi,nsv,"
    "paf,psxstr,rl2,rpl,ser,sga,siff,smk,smush,thp,tiertexseq,tmv,txd,ty,vmd,wc3movie,wsvqa,xmv,yop,"
    // sound and text
    "aac,ac3,aiff,amr,ape,au,caf,dts,dtshd,eac3,flac,loas,mlp,mp3,mpc,mpc8,truehd,tta,voc,w64,wav,wv,tty,ass,"
    "srt,webvtt";

struct Naming {
    std::string_view format;
    std::string_view what;
};
constexpr std::array formats_that_name_files{
    Naming{"hls", "an HLS playlist"},
    Naming{"dash", "a DASH manifest"},
    Naming{"webm_dash_manifest", "a DASH manifest"},
    Naming{"imf", "an IMF composition playlist"},
    Naming{"concat", "a list of clips (ffconcat)"},
    Naming{"sdp", "a description of network streams (SDP)"},
    Naming{"vobsub", "a VobSub index"},
    Naming{"mlv", "a Magic Lantern video that continues in other files"},
};

/// FFmpeg goes by a name's ending where the bytes do not tell. The rest could mean something to it ("%03d").
std::string harmless_name(const fs::path& path) {
    auto ending = path.extension().string();
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    if (ending.size() > 16 || !std::all_of(ending.begin() + (ending.empty() ? 0 : 1), ending.end(), plain))
        ending.clear();
    return "input" + ending;
}

}  // namespace

struct InputFile::View {
    const InputFile* file;
    std::int64_t position = 0;
};

InputFile::InputFile(fs::path path, ExternalFiles external, StopRequested stop)
    : path_(std::move(path)),
      name_(external.allowed ? "file:" + path_.string() : harmless_name(path_)),
      external_(external),
      stop_(std::move(stop)) {
    require_regular_file(path_);
    std::error_code ec;
    if (fs::file_size(path_, ec) == 0 && !ec) fail("{}: is empty, expected a video", path_.string());
    if (external_.allowed) return;
    descriptor_ = Descriptor::for_reading(path_);
}

InputFile::~InputFile() {
    free_view(view_);
}

ffmpeg::Input InputFile::open(int& code) {
    ffmpeg::Input input(ffmpeg::required(avformat_alloc_context()));
    input->interrupt_callback = {stopped, this};
    ffmpeg::Options options;
    const AVInputFormat* format = nullptr;
    if (external_.allowed) {
        options.set("protocol_whitelist", "file");  // not the network
    } else {
        view_ = new_view();
        format = recognise(code);
        if (!format) return nullptr;
        input->pb = view_;
        input->io_open = open_by_name;
        input->io_close2 = close_opened;
        options.set("protocol_whitelist", "none");  // for formats that open files without asking io_open
        options.set("format_whitelist", known_formats);
    }
    AVFormatContext* context = input.release();  // freed on failure
    code = avformat_open_input(&context, name_.c_str(), format, options.get());
    input.reset(context);
    check();
    return input;
}

const AVInputFormat* InputFile::recognise(int& code) {
    const AVInputFormat* format = nullptr;
    code = av_probe_input_buffer2(view_, &format, name_.c_str(), nullptr, 0, 0);
    check();
    const auto refuse = [&](std::string_view what) {
        fail("{}: is {}, which refers to other files (--allow-external permits reading them)", path_.string(),
             what);
    };
    // Newer versions of FFmpeg do not recognise one whose name does not end as a playlist's.
    constexpr std::string_view playlist = "#EXTM3U";
    std::array<char, playlist.size()> begin{};
    const auto size = ::pread(descriptor_.get(), begin.data(), begin.size(), 0);
    if (size == std::ssize(begin) && std::string_view(begin.data(), begin.size()) == playlist)
        refuse(formats_that_name_files.front().what);
    if (code < 0) return nullptr;
    for (const auto& naming : formats_that_name_files) {
        if (naming.format == format->name) refuse(naming.what);
    }
    if (av_match_list(format->name, known_formats, ',') <= 0) {
        fail("{}: has the format {}, expected a video format (--allow-external reads it nevertheless)",
             path_.string(), format->name);
    }
    return format;
}

void InputFile::check() const {
    if (stop_ && stop_()) throw Interrupted(fmt::format("{}: interrupted while it was read", path_.string()));
    if (!refused_.empty()) {
        fail("{}: refers to another file, {} (--allow-external permits reading it)", path_.string(),
             printable(refused_));
    }
}

AVIOContext* InputFile::new_view() const {
    auto view = std::make_unique<View>(View{this});
    std::unique_ptr<void, void (*)(void*)> buffer(av_malloc(buffer_bytes), av_free);
    auto* context = ffmpeg::required(
        avio_alloc_context(static_cast<unsigned char*>(ffmpeg::required(buffer.get())), buffer_bytes,
                           /*write_flag=*/0, view.get(), read, /*write_packet=*/nullptr, seek));
    // Theirs now, until free_view().
    static_cast<void>(buffer.release());
    static_cast<void>(view.release());
    return context;
}

void InputFile::free_view(AVIOContext* view) {
    if (!view) return;
    const std::unique_ptr<View> owned(static_cast<View*>(view->opaque));
    av_freep(&view->buffer);
    avio_context_free(&view);
}

int InputFile::read(void* view, std::uint8_t* to, int size) {
    auto& v = *static_cast<View*>(view);
    for (;;) {
        if (stopped(const_cast<InputFile*>(v.file)) != 0) return AVERROR_EXIT;
        const auto n = ::pread(v.file->descriptor_.get(), to, static_cast<std::size_t>(size), v.position);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return AVERROR(errno);
        v.position += n;
        return n == 0 ? AVERROR_EOF : static_cast<int>(n);
    }
}

std::int64_t InputFile::seek(void* view, std::int64_t offset, int whence) {
    auto& v = *static_cast<View*>(view);
    struct stat info {};
    if (::fstat(v.file->descriptor_.get(), &info) != 0) return AVERROR(errno);
    switch (whence & ~AVSEEK_FORCE) {
        case AVSEEK_SIZE:
            return info.st_size;
        case SEEK_SET:
            break;
        case SEEK_CUR:
            offset += v.position;
            break;
        case SEEK_END:
            offset += info.st_size;
            break;
        default:
            return AVERROR(EINVAL);
    }
    if (offset < 0) return AVERROR(EINVAL);
    return v.position = offset;
}

int InputFile::stopped(void* file) {
    const auto& stop = static_cast<const InputFile*>(file)->stop_;
    return stop && stop() ? 1 : 0;
}

int InputFile::open_by_name(AVFormatContext* context, AVIOContext** view, const char* name, int flags,
                            AVDictionary** /*options*/) {
    auto& file = *static_cast<InputFile*>(context->interrupt_callback.opaque);
    if (name == file.name_ && (flags & AVIO_FLAG_WRITE) == 0) {
        try {
            *view = file.new_view();
            return 0;
        } catch (const std::bad_alloc&) {
            return AVERROR(ENOMEM);
        }
    }
    if (file.refused_.empty()) file.refused_ = name;
    return AVERROR(EPERM);
}

int InputFile::close_opened(AVFormatContext* /*context*/, AVIOContext* view) {
    free_view(view);
    return 0;
}

}  // namespace stl
