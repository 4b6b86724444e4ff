#include "tests/fuzz/seeds.h"

#include <tiffio.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <numeric>

#include "stl/archive/zip.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/media/png.h"
#include "stl/media/video_writer.h"
#include "stl/onnx/model.h"
#include "stl/pickle/safetensors.h"
#include "stl/pickle/writer.h"
#include "tests/fuzz/work_folder.h"

namespace stl::fuzz {
namespace {

constexpr SequenceShape shape{2, 1, 5, 4};
constexpr std::int64_t count = 3;

std::string reference(const std::string& name) {
    return read_text(fs::path(STL_TEST_DATA) / name);
}

std::string gzip(const std::string& bytes) {
    const auto path = work_folder() / "seed.gz";
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> out(gzopen(path.c_str(), "wb"), gzclose);
    gzwrite(out.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
    gzflush(out.get(), Z_FINISH);
    return read_text(path);
}

std::string sequences(const SequenceFormat& format, WriteOptions options) {
    const auto path = work_folder() / ("seed" + format.extensions.front());
    options.force = true;
    const auto writer = create_sequences(path.string(), count, shape, options);
    const auto elements = static_cast<std::size_t>(count * shape.elements());
    if (options.dtype == DType::u8) {
        std::vector<std::uint8_t> values(elements);
        std::iota(values.begin(), values.end(), 3);
        writer->append(values);
    } else {
        std::vector<float> values(elements, 0.25F);
        writer->append(values);
    }
    if (format.attributes) writer->set_splits(std::vector{Split::train, Split::validation, Split::test});
    writer->finish();
    return read_text(path);
}

Image picture(int channels, int shift = 0) {
    Image image(16, 24, channels);
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
            for (int c = 0; c < channels; ++c)
                image.at(y, x, c) = static_cast<std::uint8_t>(x * 9 + y * (c + 3) + 20 * shift);
    return image;
}

std::string video(const std::string& name) {
    const auto path = work_folder() / name;
    const auto writer = create_video(path, {.force = true});
    for (int i = 0; i < 6; ++i) writer->add(picture(3, i));
    writer->finish();
    return read_text(path);
}

std::string state_dict() {
    pickle::Writer out;
    out.begin_dict();
    out.text("epoch");
    out.integer(3);
    out.text("note");
    out.json(Json::parse(R"({"a": [1, 2.5, null, true, "text"], "big": 9007199254740993})"));
    out.text("state_dict");
    out.begin_ordered_dict();
    out.text("weight");
    out.tensor(DType::f32, {2, 3}, 0);
    out.text("bias");
    out.tensor(DType::i64, {2}, 1);
    out.end_dict();
    out.text("betas");
    out.begin_tuple();
    out.real(0.9);
    out.big_integer(UINT64_MAX);
    out.end_tuple();
    out.end_dict();
    return out.finish();
}

/// torch writes a checksum of 0 when told to leave it out; then changed contents are read too.
std::string without_checksums(std::string zip) {
    for (const auto& [magic, place] : {std::pair{"PK\x03\x04", 14}, {"PK\x01\x02", 16}}) {
        for (auto at = zip.find(magic); at != std::string::npos; at = zip.find(magic, at + 4))
            zip.replace(at + static_cast<std::size_t>(place), 4, 4, '\0');
    }
    return zip;
}

std::string zip(const std::vector<std::pair<std::string, std::string>>& entries) {
    const auto path = work_folder() / "seed.zip";
    ZipWriter out(path, "seed");
    for (const auto& [name, content] : entries) out.add(name, content);
    out.finish();
    return read_text(path);
}

}  // namespace

std::vector<std::string> idx_seeds() {
    std::string file{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5};
    for (int i = 0; i < 60; ++i) file += static_cast<char>(4 * i);
    return {file, gzip(file)};
}

std::vector<std::string> sequence_seeds(const SequenceFormat& format) {
    std::vector<std::string> seeds;
    for (const auto& entry : fs::directory_iterator(fs::path(STL_TEST_DATA) / "sequences")) {
        if (has_extension(entry.path(), format.extensions)) seeds.push_back(read_text(entry.path()));
    }
    std::ranges::sort(seeds);  // a folder has no order
    if (!format.writes()) return seeds;
    const WriteOptions usual{.fps = 10, .attributes = {{"source", "seed"}, {"seed", 5}}};
    auto floats = usual;
    floats.dtype = DType::f32;
    if (format.layouts) floats.layout = "TNHW";
    if (format.compresses) floats.compression = 4;
    for (const auto& options : {usual, floats}) seeds.push_back(sequences(format, options));
    return seeds;
}

std::vector<std::string> png_seeds() {
    return {encode_png(picture(1)), encode_png(picture(2)), encode_png(picture(3)), encode_png(picture(4))};
}

/// Two pages of 16x16 floats.
std::string tiff(const char* mode, const char* description, bool tiled) {
    const auto path = work_folder() / "seed.tif";
    const std::unique_ptr<TIFF, void (*)(TIFF*)> file(TIFFOpen(path.c_str(), mode), TIFFClose);
    std::vector<float> pixels(16 * 16, 0.5F);
    for (int page = 0; page < 2; ++page) {
        TIFF* t = file.get();
        for (const auto& [tag, value] : std::initializer_list<std::pair<std::uint32_t, int>>{
                 {TIFFTAG_IMAGEWIDTH, 16},
                 {TIFFTAG_IMAGELENGTH, 16},
                 {TIFFTAG_BITSPERSAMPLE, 32},
                 {TIFFTAG_SAMPLESPERPIXEL, 1},
                 {TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP},
                 {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK},
                 {TIFFTAG_COMPRESSION, COMPRESSION_LZW},
                 {tiled ? TIFFTAG_TILEWIDTH : TIFFTAG_ROWSPERSTRIP, 16}})
            TIFFSetField(t, tag, value);
        if (tiled) TIFFSetField(t, TIFFTAG_TILELENGTH, 16);
        if (page == 0) TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, description);
        const auto bytes = static_cast<tmsize_t>(pixels.size() * sizeof(float));
        if (tiled)
            TIFFWriteEncodedTile(t, 0, pixels.data(), bytes);
        else
            TIFFWriteEncodedStrip(t, 0, pixels.data(), bytes);
        TIFFWriteDirectory(t);
    }
    TIFFFlush(file.get());
    return read_text(path);
}

std::vector<std::string> video_seeds() {
    std::vector<std::string> seeds{encode_png(picture(3)),
                                   tiff("w", "ImageJ=1.5\nimages=2\nchannels=2\nframes=1\n", false),
                                   tiff("w8",
                                        "<OME><Pixels DimensionOrder=\"XYZCT\" SizeT=\"2\"><TiffData "
                                        "FirstT=\"1\" IFD=\"0\"/></Pixels></OME>",
                                        true)};
    for (const auto* name : {"seed.mp4", "seed.mkv", "seed.gif", "seed.apng", "seed.webm"})
        seeds.push_back(video(name));
    return seeds;
}

std::vector<std::string> pickle_seeds() {
    std::vector<std::string> seeds{state_dict()};
    // Protocols that the writer doesn't write: the pickles inside torch's files.
    for (const auto* name : {"objects_protocol1.pth", "objects_protocol4.pth", "objects_protocol5.pth"}) {
        const auto file = reference(std::string("checkpoints/") + name);
        const ZipReader archive(std::as_bytes(std::span(file)));
        std::vector<std::byte> buffer;
        for (const auto& entry : archive.entries()) {
            if (!entry.name.ends_with("data.pkl")) continue;
            const auto content = archive.read(entry, buffer);
            seeds.emplace_back(reinterpret_cast<const char*>(content.data()), content.size());
        }
    }
    return seeds;
}

std::vector<std::string> torch_seeds() {
    const auto file = zip({{"archive/data.pkl", state_dict()},
                           {"archive/byteorder", "little"},
                           {"archive/data/0", std::string(24, '\x3f')},
                           {"archive/data/1", std::string(16, '\x01')},
                           {"archive/version", "3\n"}});
    return {file, without_checksums(file), reference("checkpoints/views_legacy.pth"),
            reference("checkpoints/objects_legacy.pth"), reference("checkpoints/views_deflated.pth")};
}

std::vector<std::string> safetensors_seeds() {
    const auto path = work_folder() / "seed.safetensors";
    const auto of = [](std::size_t bytes) {
        return [bytes](const auto& sink) { sink(std::vector<std::byte>(bytes, std::byte{7})); };
    };
    pickle::write_safetensors(path, "seed",
                              {{"weight", DType::bf16, {3, 2}, of(12)},
                               {"bias", DType::i64, {}, of(8)},
                               {"none", DType::f32, {0, 2}, of(0)}},
                              {{"format", "pt"}, {"stl", "{\"x\": 1}"}});
    // Also without digests, behind which hardly any change of the header gets.
    const auto text = read_text(path);
    auto foreign = text;
    foreign.replace(foreign.find("stl_digests"), 3, "old");
    return {text, foreign};
}

std::vector<std::string> onnx_seeds() {
    const auto path = work_folder() / "seed.onnx";
    const std::vector<std::byte> bytes(8, std::byte{7});
    onnx::write_model(path,
                      {.inputs = {{"x", onnx::Type::float32, {{.size = 0, .symbol = "batch"}, {.size = 2}}}},
                       .outputs = {{"y", onnx::Type::float32, {{.size = 2}}}},
                       .tensors = {{"w", onnx::Type::float32, {2}, bytes}},
                       .nodes = {{"a", "Elu", {"x"}, {"y"}, {{"alpha", 0.5F}}}},
                       .metadata = {{"stl", "{\"x\": 1}"}}});
    return {read_text(path)};
}

std::vector<std::string> json_seeds() {
    return {
        R"({
  // a comment
  "dataset": {"name": "noisymmnist", "input_frames": 10, "output_frames": 10, "noise_type": "missing", "step": 1e-1},
  "model": {"translator": "tau", "hid_S": 64, "drop_path": 0.1},
  "train": {"lr": 0.005, "betas": [0.9, 0.999], "shuffle": false, "init": null}
})",
        R"({"dataset": {"name": "file", "path": "a\u00e9\n.h5", "val_path": "x.npy", "layout": "TNHWC"}})"};
}

}  // namespace stl::fuzz
