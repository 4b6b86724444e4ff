#include "stl/media/png.h"

#include <png.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

struct Bytes {
    std::span<const std::byte> left;
};

/// What libpng says of a bad file ends up here.
struct Complaint {
    char text[160] = "";
};

void on_error(png_structp png, png_const_charp message) {
    auto* complaint = static_cast<Complaint*>(png_get_error_ptr(png));
    std::strncpy(complaint->text, message, sizeof(complaint->text) - 1);
    png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void take_bytes(png_structp png, png_bytep out, std::size_t count) {
    auto* bytes = static_cast<Bytes*>(png_get_io_ptr(png));
    if (bytes->left.size() < count) png_error(png, "the file ends early");
    std::memcpy(out, bytes->left.data(), count);
    bytes->left = bytes->left.subspan(count);
}

void give_bytes(png_structp png, png_bytep data, std::size_t count) {
    static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(data), count);
}

class Reader {
  public:
    explicit Reader(Complaint& complaint)
        : png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &complaint, on_error, on_warning)),
          info_(png_ ? png_create_info_struct(png_) : nullptr) {
        if (!info_) throw std::bad_alloc();
    }
    ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// The part of the work that libpng may leave by longjmp: nothing here has a destructor. False: see
    /// complaint.
    bool read_header(Bytes& bytes) {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_set_read_fn(png_, &bytes, take_bytes);
        png_set_user_limits(png_, 0x7fffffff, 0x7fffffff);  // sizes are checked by our own limit
        png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_QUIET_USE);
        png_read_info(png_, info_);
        return true;
    }
    bool prepare() {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_set_expand(png_);
        png_set_scale_16(png_);
        png_set_interlace_handling(png_);
        png_read_update_info(png_, info_);
        return true;
    }
    bool read_pixels(png_bytepp rows) {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_read_image(png_, rows);
        png_read_end(png_, nullptr);
        return true;
    }
    std::int64_t height() const { return png_get_image_height(png_, info_); }
    std::int64_t width() const { return png_get_image_width(png_, info_); }
    int channels() const { return png_get_channels(png_, info_); }

  private:
    png_structp png_;
    png_infop info_;
};

class Writer {
  public:
    explicit Writer(Complaint& complaint)
        : png_(png_create_write_struct(PNG_LIBPNG_VER_STRING, &complaint, on_error, on_warning)),
          info_(png_ ? png_create_info_struct(png_) : nullptr) {
        if (!info_) throw std::bad_alloc();
    }
    ~Writer() { png_destroy_write_struct(&png_, &info_); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    bool write(const Image& image, int color_type, std::string& out) {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_set_write_fn(png_, &out, give_bytes, nullptr);
        png_set_IHDR(png_, info_, static_cast<png_uint_32>(image.width),
                     static_cast<png_uint_32>(image.height), 8, color_type, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png_, info_);
        for (int y = 0; y < image.height; ++y) png_write_row(png_, image.row(y));
        png_write_end(png_, nullptr);
        return true;
    }

  private:
    png_structp png_;
    png_infop info_;
};

}  // namespace

Image read_png(const fs::path& path, std::int64_t max_pixels) {
    const MappedFile file(path);
    Bytes bytes{file.bytes()};
    if (bytes.left.size() < 8 ||
        png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.left.data()), 0, 8) != 0) {
        fail("{}: not a PNG file", path.string());
    }
    Complaint complaint;
    Reader reader(complaint);
    if (!reader.read_header(bytes)) fail("{}: damaged PNG ({})", path.string(), complaint.text);
    const std::int64_t height = reader.height(), width = reader.width();
    if (width > max_pixels / height) {
        fail("{}: {}x{} pixels, the limit is {} pixels (--max-pixels raises it)", path.string(), width,
             height, max_pixels);
    }
    if (!reader.prepare()) fail("{}: damaged PNG ({})", path.string(), complaint.text);
    require_memory(static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) * 4, path.string());
    Image image(static_cast<int>(height), static_cast<int>(width), reader.channels());
    std::vector<png_bytep> rows(static_cast<std::size_t>(height));
    for (int y = 0; y < image.height; ++y) rows[static_cast<std::size_t>(y)] = image.row(y);
    if (!reader.read_pixels(rows.data())) fail("{}: damaged PNG ({})", path.string(), complaint.text);
    return image;
}

std::string encode_png(const Image& image) {
    constexpr int color_types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                   PNG_COLOR_TYPE_RGB_ALPHA};
    if (image.empty()) fail("an empty picture can't be written as PNG");
    Complaint complaint;
    Writer writer(complaint);
    std::string out;
    if (!writer.write(image, color_types[image.channels - 1], out)) fail("PNG: {}", complaint.text);
    return out;
}

void write_png(const fs::path& path, const Image& image, bool replace) {
    write_text(path, encode_png(image), replace);
}

}  // namespace stl
