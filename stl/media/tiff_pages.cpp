#include "stl/media/tiff_pages.h"

#include <tiffio.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "stl/core/array.h"
#include "stl/core/byte_order.h"
#include "stl/core/descriptor.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/media/colors.h"
#include "stl/media/ffmpeg.h"
#include "stl/media/fit.h"
#include "stl/media/frame_scaler.h"
#include "stl/media/resize.h"

namespace stl {
namespace {

/// What libtiff reads from, and what it says.
struct Stream {
    const ReadAt& read;
    std::uint64_t size;
    std::uint64_t at = 0;
    std::string complaint = {};
};

tmsize_t read_some(thandle_t handle, void* to, tmsize_t wanted) {
    auto& stream = *static_cast<Stream*>(handle);
    if (wanted <= 0 || stream.at >= stream.size) return 0;
    const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(wanted), stream.size - stream.at);
    if (!stream.read(stream.at, {static_cast<unsigned char*>(to), static_cast<std::size_t>(count)})) return 0;
    stream.at += count;
    return static_cast<tmsize_t>(count);
}

toff_t seek_to(thandle_t handle, toff_t offset, int from) {
    auto& stream = *static_cast<Stream*>(handle);
    stream.at = offset + (from == SEEK_CUR ? stream.at : from == SEEK_END ? stream.size : 0);
    return stream.at;
}

int note_complaint(TIFF*, void* user, const char*, const char* format, va_list arguments) {
    auto& text = static_cast<Stream*>(user)->complaint;
    if (!text.empty()) return 1;
    std::array<char, 256> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    text = line.data();
    return 1;
}
int ignore(TIFF*, void*, const char*, const char*, va_list) {
    return 1;
}

struct TiffCloser {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
    void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using Tiff = std::unique_ptr<TIFF, TiffCloser>;

/// Without the first directory, which may not be wanted.
Tiff open_tiff(Stream& stream) {
    const std::unique_ptr<TIFFOpenOptions, TiffCloser> options(ffmpeg::required(TIFFOpenOptionsAlloc()));
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note_complaint, &stream);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore, nullptr);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), std::numeric_limits<std::int32_t>::max());
    return Tiff(TIFFClientOpenExt(
        "", "rhm", &stream, read_some, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, seek_to,
        [](thandle_t) { return 0; }, [](thandle_t handle) { return static_cast<Stream*>(handle)->size; },
        nullptr, nullptr, options.get()));
}

template <class T>
T tag(TIFF& tiff, std::uint32_t name, T otherwise) {
    T value = otherwise;
    return TIFFGetFieldDefaulted(&tiff, name, &value) == 1 ? value : otherwise;
}

/// How a page's samples lie in the file.
struct PageForm {
    std::uint32_t width = 0, height = 0;
    std::uint16_t samples = 1, bits = 1, format = SAMPLEFORMAT_UINT, photometric = 0, planar = 1,
                  orientation = 1, compression = 1;

    static PageForm of(TIFF& tiff) {
        PageForm form;
        form.width = tag<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
        form.height = tag<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
        form.samples = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
        form.bits = tag<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
        form.format = tag<std::uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
        if (form.format == SAMPLEFORMAT_VOID) form.format = SAMPLEFORMAT_UINT;
        form.photometric = tag<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
        form.planar = tag<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
        form.orientation = tag<std::uint16_t>(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
        form.compression = tag<std::uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
        return form;
    }

    bool is_rgb() const { return photometric == PHOTOMETRIC_RGB; }
    int colors() const { return is_rgb() ? 3 : 1; }
    bool has_alpha() const { return samples == colors() + 1; }
    std::size_t sample_bytes() const { return bits / 8U; }
    std::size_t pixels() const { return std::size_t{width} * height; }
    /// Whether its samples are numbers that are read here.
    bool is_plain() const {
        const bool gray = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
        const bool whole = format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_INT;
        const bool known_bits = bits == 8 || bits == 16 || bits == 32 || bits == 64;
        return (gray || is_rgb()) && known_bits && (whole || (format == SAMPLEFORMAT_IEEEFP && bits >= 16)) &&
               (samples == colors() || has_alpha());
    }
    /// Whether it is one of the kinds that FFmpeg's pictures have, too.
    bool is_usual() const { return format == SAMPLEFORMAT_UINT && bits <= 16; }
};

Orientation turned(std::uint16_t tag) {
    switch (tag) {
        case ORIENTATION_TOPRIGHT:
            return {false, true, false};
        case ORIENTATION_BOTRIGHT:
            return {false, true, true};
        case ORIENTATION_BOTLEFT:
            return {false, false, true};
        case ORIENTATION_LEFTTOP:
            return {true, false, false};
        case ORIENTATION_RIGHTTOP:
            return {true, true, false};
        case ORIENTATION_RIGHTBOT:
            return {true, true, true};
        case ORIENTATION_LEFTBOT:
            return {true, false, true};
        default:
            return {};
    }
}

/// The samples of a page [height, width, samples], in the machine's byte order.
class Samples {
  public:
    Samples(TIFF& tiff, const PageForm& form)
        : form_(form), bytes_(form.pixels() * form.samples * form.sample_bytes()) {
        const Pieces pieces(tiff, form, bytes_.size());
        std::vector<unsigned char> piece(pieces.bytes());
        for (std::uint16_t plane = 0; plane < pieces.planes; ++plane) {
            for (std::uint32_t y = 0; y < form.height; y += pieces.rows) {
                for (std::uint32_t x = 0; x < form.width; x += pieces.columns) {
                    const auto height = std::min(pieces.rows, form.height - y);
                    read(tiff, pieces, x, y, height, plane, piece);
                    copy(piece, pieces, x, y, height, plane);
                }
            }
        }
    }

    /// Of what ImageJ wrote without further directories: page `index` lies behind the first.
    Samples(const ReadAt& read, std::uint64_t first, std::size_t index, bool little, const PageForm& form)
        : form_(form), bytes_(form.pixels() * form.samples * form.sample_bytes()) {
        if (!read(first + bytes_.size() * index, bytes_)) fail("the file ends before");
        if (little) return;
        for (std::size_t at = 0; at < bytes_.size(); at += form.sample_bytes())
            std::reverse(bytes_.begin() + static_cast<std::ptrdiff_t>(at),
                         bytes_.begin() + static_cast<std::ptrdiff_t>(at + form.sample_bytes()));
    }

    std::span<const unsigned char> bytes() const { return bytes_; }

    float value(std::size_t index) const {
        const bool real = form_.format == SAMPLEFORMAT_IEEEFP, with_sign = form_.format == SAMPLEFORMAT_INT;
        switch (form_.bits) {
            case 8:
                return with_sign ? at<std::int8_t>(index) : at<std::uint8_t>(index);
            case 16:
                if (real) return static_cast<float>(half_to_double(at<std::uint16_t>(index)));
                return with_sign ? at<std::int16_t>(index) : at<std::uint16_t>(index);
            case 32:
                if (real) return at<float>(index);
                return with_sign ? static_cast<float>(at<std::int32_t>(index))
                                 : static_cast<float>(at<std::uint32_t>(index));
            default:
                if (real) return static_cast<float>(at<double>(index));
                return with_sign ? static_cast<float>(at<std::int64_t>(index))
                                 : static_cast<float>(at<std::uint64_t>(index));
        }
    }

  private:
    /// Tiles, or strips as wide as the page.
    struct Pieces {
        Pieces(TIFF& tiff, const PageForm& form, std::size_t page_bytes)
            : tiled(TIFFIsTiled(&tiff) != 0), columns(form.width) {
            const bool separate = form.planar == PLANARCONFIG_SEPARATE && form.samples > 1;
            planes = separate ? form.samples : 1;
            pixel_bytes = form.sample_bytes() * (separate ? 1 : form.samples);
            if (tiled) {
                columns = tag<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0);
                rows = tag<std::uint32_t>(tiff, TIFFTAG_TILELENGTH, 0);
            } else {
                rows = std::min(tag<std::uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, form.height), form.height);
            }
            if (columns == 0 || rows == 0) fail("tiles of no size");
            // A tile larger than the page is legal, but not one of any size.
            constexpr std::size_t largest = std::size_t{1} << 30;
            if (row_bytes() > std::max(largest, page_bytes) / rows) fail("tiles of {}x{}", columns, rows);
        }
        std::size_t row_bytes() const { return columns * pixel_bytes; }
        std::size_t bytes() const { return rows * row_bytes(); }

        bool tiled;
        std::uint32_t columns, rows = 0;
        std::uint16_t planes = 1;     ///< more than one: each sample has pieces of its own
        std::size_t pixel_bytes = 0;  ///< in a piece
    };

    static void read(TIFF& tiff, const Pieces& pieces, std::uint32_t x, std::uint32_t y, std::uint32_t height,
                     std::uint16_t plane, std::vector<unsigned char>& piece) {
        const auto size = static_cast<tmsize_t>(pieces.tiled ? piece.size() : height * pieces.row_bytes());
        const auto got =
            pieces.tiled
                ? TIFFReadEncodedTile(&tiff, TIFFComputeTile(&tiff, x, y, 0, plane), piece.data(), size)
                : TIFFReadEncodedStrip(&tiff, TIFFComputeStrip(&tiff, y, plane), piece.data(), size);
        if (got != size) fail("damaged");
    }

    /// What of a piece lies on the page.
    void copy(const std::vector<unsigned char>& piece, const Pieces& pieces, std::uint32_t x, std::uint32_t y,
              std::uint32_t height, std::size_t plane) {
        const std::size_t size = pieces.pixel_bytes, step = form_.sample_bytes() * form_.samples;
        const std::size_t width = std::min(pieces.columns, form_.width - x);
        for (std::uint32_t row = 0; row < height; ++row) {
            const unsigned char* from = piece.data() + row * pieces.row_bytes();
            unsigned char* to = bytes_.data() + (std::size_t{y + row} * form_.width + x) * step +
                                plane * form_.sample_bytes();
            if (size == step) {
                std::copy_n(from, size * width, to);
            } else {
                for (std::size_t i = 0; i < width; ++i) std::copy_n(from + i * size, size, to + i * step);
            }
        }
    }
    template <class T>
    T at(std::size_t index) const {
        T value;
        std::memcpy(&value, bytes_.data() + index * sizeof(T), sizeof(T));
        return value;
    }

    PageForm form_;
    std::vector<unsigned char> bytes_;
};

AVPixelFormat pixel_format(const PageForm& form) {
    const bool wide = form.bits == 16;
    if (form.is_rgb()) {
        if (form.has_alpha()) return wide ? AV_PIX_FMT_RGBA64LE : AV_PIX_FMT_RGBA;
        return wide ? AV_PIX_FMT_RGB48LE : AV_PIX_FMT_RGB24;
    }
    if (form.has_alpha()) return wide ? AV_PIX_FMT_YA16LE : AV_PIX_FMT_YA8;
    return wide ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_GRAY8;
}

/// 8 and 16 bits, as other pictures of that depth come.
Picture usual_picture(const Samples& samples, const PageForm& page, const PictureForm& form) {
    const auto frame = ffmpeg::make_frame();
    frame->width = static_cast<int>(page.width);
    frame->height = static_cast<int>(page.height);
    frame->format = pixel_format(page);
    if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
    const std::size_t row = std::size_t{page.width} * page.samples * page.sample_bytes();
    for (std::uint32_t y = 0; y < page.height; ++y) {
        std::uint8_t* to = frame->data[0] + std::ptrdiff_t{y} * frame->linesize[0];
        std::copy_n(samples.bytes().data() + y * row, row, to);
        if (page.photometric == PHOTOMETRIC_MINISWHITE)
            std::transform(to, to + row, to, [](std::uint8_t v) { return static_cast<std::uint8_t>(~v); });
    }
    FrameScaler scaler(form.height, form.width, form.channels, form.fit, form.deep);
    return scaler.scale(*frame, turned(page.orientation), {0, 1});
}

/// Other numbers, as they are stored.
Picture stored_picture(const Samples& samples, const PageForm& page, const PictureForm& form) {
    const auto pixels = page.pixels();
    const int colors = page.colors();
    DeepImage upright(static_cast<int>(page.height), static_cast<int>(page.width), form.channels);
    for (std::size_t i = 0; i < pixels; ++i) {
        std::array<float, 3> color{};
        for (int c = 0; c < 3; ++c)
            color[static_cast<std::size_t>(c)] =
                samples.value(i * page.samples + static_cast<std::size_t>(std::min(c, colors - 1)));
        if (form.channels == 1 && colors == 3) color[0] = luma(color[0], color[1], color[2]);
        for (int c = 0; c < form.channels; ++c) {
            const float v = color[static_cast<std::size_t>(c)];
            if (!std::isfinite(v)) fail("holds values that are not finite");
            upright.pixels[i * static_cast<std::size_t>(form.channels) + static_cast<std::size_t>(c)] = v;
        }
    }
    upright = oriented(upright, turned(page.orientation));
    if (form.height == 0 || form.width == 0 || (form.height == upright.height && form.width == upright.width))
        return {{}, std::move(upright), 0};
    const FitPlan plan = plan_fit(form.fit, upright.height, upright.width, 1, form.height, form.width);
    const AxisTaps vertical = make_taps(upright.height, plan.top, plan.bottom, plan.height);
    const AxisTaps horizontal = make_taps(upright.width, plan.left, plan.right, plan.width);
    DeepImage resized(plan.height, plan.width, form.channels);
    const auto channels = static_cast<std::size_t>(form.channels);
    std::vector<float> plane(pixels), scratch, small(resized.pixels.size() / channels);
    for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t i = 0; i < pixels; ++i) plane[i] = upright.pixels[i * channels + c];
        resize_floats(plane, upright.width, vertical, horizontal, scratch, small);
        for (std::size_t i = 0; i < small.size(); ++i) resized.pixels[i * channels + c] = small[i];
    }
    return {{}, padded(resized, form.height, form.width), 0};
}

}  // namespace

TiffPages::TiffPages(const fs::path& path, int film) : path_(path), stack_(stack_of(path)) {
    // Not mapped: a file that is cut short under our hands must not end the program.
    const auto file = std::make_shared<const Descriptor>(Descriptor::for_reading(path));
    read_ = [file](std::uint64_t from, std::span<unsigned char> to) { return file->read_at(from, to); };
    size_ = fs::file_size(path);
    choose_film(film);
}

TiffPages::TiffPages(std::span<const std::byte> file, const fs::path& path)
    : path_(path), size_(file.size()), stack_(stack_of(file)) {
    read_ = [file](std::uint64_t from, std::span<unsigned char> to) {
        if (from > file.size() || to.size() > file.size() - from) return false;
        std::memcpy(to.data(), file.data() + from, to.size());
        return true;
    };
    choose_film(-1);
}

TiffPages::~TiffPages() = default;

void TiffPages::choose_film(int film) {
    if (stack_.pages.empty())
        fail("{}: not one page can be found in this {}", path_.string(), stack_.big ? "BigTIFF" : "TIFF");
    if (stack_.cut)
        remarks_.push_back(
            fmt::format("the file is cut off: {} of more can be found", counted(stack_.count, "page")));
    auto axes = stack_axes(stack_.description, stack_.count, path_.filename().string());
    const auto films = std::ssize(axes.films);
    if (film >= films)
        fail("{}: holds {}, there is no --stream {}", path_.string(), counted(films, "film"), film);
    frames_ = std::move(axes.films[static_cast<std::size_t>(std::max(film, 0))]);
    if (std::ranges::all_of(frames_, [](std::int64_t page) { return page < 0; }))
        fail("{}: its description says that all pages are in other files of a set", path_.string());
    set_times(axes.times.empty() ? std::vector<double>()
                                 : std::move(axes.times[static_cast<std::size_t>(std::max(film, 0))]),
              axes.interval);
    if (films > 1 && film < 0) {
        remarks_.push_back(
            fmt::format("holds {} of {} and {}: {} films, of which the first is read; --stream 0 to {} "
                        "chooses, channels first",
                        counted(std::ssize(frames_), "frame"), counted(axes.channels, "channel"),
                        counted(axes.slices, "slice"), films, films - 1));
    }
    if (axes.slices_are_frames) {
        remarks_.push_back(fmt::format("has {} and one point in time; the slices are taken for frames",
                                       counted(std::ssize(frames_), "slice")));
    }
}

void TiffPages::set_times(std::vector<double> times, double interval) {
    interval_ = interval;
    if (times.size() < 2) return;
    std::vector<double> steps;
    for (std::size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
    // Also false for what is not a number.
    if (!std::ranges::all_of(steps, [](double step) { return step > 0; })) return;
    for (const double first = times.front(); double& time : times) time -= first;
    times_ = std::move(times);
    const auto middle = steps.begin() + std::ssize(steps) / 2;
    std::ranges::nth_element(steps, middle);
    if (!(interval_ > 0)) interval_ = *middle;
}

DecodedPicture TiffPages::decode(std::size_t frame, const PictureForm& form) const {
    const std::int64_t page = frames_[frame];
    if (page < 0) fail("{}: frame {} is missing, or in another file of the set", path_.string(), frame);
    const bool further = page >= std::ssize(stack_.pages);
    const auto directory = stack_.pages[further ? 0 : static_cast<std::size_t>(page)];
    Stream stream{read_, size_};
    const auto refuse = [&](const std::string& what) {
        fail("{}: page {}: {}", path_.string(), page + 1, stream.complaint.empty() ? what : stream.complaint);
    };
    const Tiff tiff = open_tiff(stream);
    if (!tiff || TIFFSetSubDirectory(tiff.get(), directory) != 1) refuse("damaged");
    const PageForm stored = PageForm::of(*tiff);
    if (stored.width == 0 || stored.height == 0) refuse("a picture of no size");
    if (stored.width > form.max_pixels / stored.height) {
        fail("{}: pictures of {}x{} pixels, the limit is {} pixels (--max-pixels raises it)", path_.string(),
             stored.width, stored.height, form.max_pixels);
    }
    const bool readable = stored.is_plain() && TIFFIsCODECConfigured(stored.compression) == 1;
    if (!readable && !stack_.big && !further) return decode_by_ffmpeg(directory, form);
    if (!readable)
        refuse(fmt::format(
            "{} samples of {} bits (photometric interpretation {}, compression {}): not a kind that can "
            "be read; save it as gray or RGB",
            stored.samples, stored.bits, stored.photometric, stored.compression));
    require_memory(stored.pixels() * (stored.samples * stored.sample_bytes() + 2 * sizeof(float)),
                   path_.string());
    if (further && stored.compression != COMPRESSION_NONE)
        refuse("compressed, and without a directory of its own");
    try {
        const Samples samples = further
                                    ? Samples(read_, TIFFGetStrileOffset(tiff.get(), 0),
                                              static_cast<std::size_t>(page), stack_.little_endian, stored)
                                    : Samples(*tiff, stored);
        Picture picture =
            stored.is_usual() ? usual_picture(samples, stored, form) : stored_picture(samples, stored, form);
        return {std::move(picture), static_cast<int>(stored.height), static_cast<int>(stored.width)};
    } catch (const Shortage&) {
        throw;
    } catch (const Error& error) {
        refuse(error.what());
        throw;
    }
}

DecodedPicture TiffPages::decode_by_ffmpeg(std::uint64_t directory, const PictureForm& form) const {
    // FFmpeg's own option for pages skips some. A file's first directory may be anywhere: this page's becomes it.
    const std::lock_guard lock(decoding_);
    if (!packet_) {
        if (size_ > std::uint64_t{INT_MAX})
            fail("{}: pages of this kind can be read from files of up to 2 GiB; save it as gray or RGB",
                 path_.string());
        require_memory(size_, path_.string());
        packet_ = ffmpeg::make_packet();
        if (av_new_packet(packet_.get(), static_cast<int>(size_)) < 0) throw std::bad_alloc();
        if (!read_(0, {packet_->data, static_cast<std::size_t>(size_)}))
            fail("{}: cannot be read", path_.string());
    }
    for (int i = 0; i < 4; ++i) {
        const int shift = 8 * (stack_.little_endian ? i : 3 - i);
        packet_->data[4 + i] = static_cast<std::uint8_t>(directory >> shift);
    }
    return decode_packet(*packet_, AV_CODEC_ID_TIFF, path_, form);
}

}  // namespace stl
