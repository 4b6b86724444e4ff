#include "tests/fuzz/targets.h"

#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "stl/core/byte_order.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/dataset.h"
#include "stl/formats/sequence_formats.h"
#include "stl/glyphs/glyphs.h"
#include "stl/media/png.h"
#include "stl/media/video_reader.h"
#include "stl/onnx/model.h"
#include "stl/pickle/machine.h"
#include "stl/pickle/safetensors.h"
#include "stl/pickle/torch_file.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/work_folder.h"

namespace stl::fuzz {
namespace {

constexpr std::int64_t most_elements = 1 << 20;  // of what a target asks for: more is the caller's own wish
constexpr std::int64_t most_pixels = 1 << 18;
constexpr int most_frames = 200;

std::string_view text_of(Input input) {
    return {reinterpret_cast<const char*>(input.data()), input.size()};
}

/// Everything but a one-line Error is a bug.
template <class Read>
int expect_no_more_than_an_error(Read read) {
    try {
        read();
    } catch (const Error& error) {
        const std::string_view message = error.what();
        if (message.empty() || message.find('\n') != std::string_view::npos) {
            std::cerr << "an Error of no line or of several: '" << message << "'\n";
            std::abort();
        }
    }
    return 0;
}

/// So that the reads aren't left out.
template <class T>
void touch(std::span<const T> values) {
    std::uint64_t sum = 0;
    for (const auto& byte : std::as_bytes(values)) sum += std::to_integer<std::uint64_t>(byte);
    volatile auto kept = sum;
    static_cast<void>(kept);
}

void read_sequences(const fs::path& path) {
    const auto reader = open_sequences(path.string());
    const auto& info = reader->info();
    info.attributes.dump();  // as every --json does
    for (const auto split : {Split::train, Split::validation, Split::test}) reader->rows(split);
    if (info.shape.elements() > most_elements) return;
    std::vector<float> row(static_cast<std::size_t>(info.shape.elements()));
    for (const auto i : {std::int64_t{0}, info.count / 2, info.count - 1}) {
        reader->read(i, 1, row);
        touch<float>(row);
    }
}

/// Sequences, their marks and attributes.
int fuzz_sequences(const std::string& name, Input file) {
    return expect_no_more_than_an_error([&] { read_sequences(put_file(name, text_of(file))); });
}

/// Chunks' checksums made those of their contents, so that what they protect is read.
std::string with_right_checksums(std::string png) {
    for (std::size_t at = 8; at + 12 <= png.size();) {
        const std::size_t length = big_endian(std::as_bytes(std::span(png).subspan(at, 4)));
        if (length > png.size() - at - 12) break;
        const auto crc =
            crc32(0, reinterpret_cast<const Bytef*>(png.data() + at + 4), static_cast<uInt>(length + 4));
        for (std::size_t i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
        at += length + 12;
    }
    return png;
}

/// Glyphs, plain or gzip.
int fuzz_idx(Input file) {
    expect_no_more_than_an_error([&] { parse_idx(text_of(file), "input"); });
    return expect_no_more_than_an_error([&] { load_glyphs(put_file("input.idx", text_of(file))); });
}

/// As it is, and with its checksums made right.
int fuzz_png(Input file) {
    const std::string bytes(text_of(file));
    for (const auto& variant : {bytes, with_right_checksums(bytes)}) {
        expect_no_more_than_an_error([&] {
            const auto image = read_png(put_file("input.png", variant), most_pixels);
            touch<std::uint8_t>(image.pixels);
            to_gray(image);
        });
    }
    return 0;
}

/// Anything that FFmpeg takes for a video or a picture.
int fuzz_video(Input file) {
    return expect_no_more_than_an_error([&] {
        // No name that tells the format: FFmpeg goes by the content.
        VideoOptions options;
        options.max_pixels = most_pixels;
        options.threads = 1;
        VideoReader reader(put_file("input.video", text_of(file)), options);
        for (int i = 0; i < most_frames; ++i) {
            const auto frame = reader.next();
            if (!frame) break;
            touch<std::uint8_t>(frame->image.pixels);
        }
        to_string(reader.damage(), "input");
    });
}

/// A bare pickle, without the file around it.
int fuzz_pickle(Input pickle) {
    return expect_no_more_than_an_error([&] {
        pickle::Arena arena;
        pickle::Machine machine(arena, std::as_bytes(pickle), [](const pickle::List& id) {
            return pickle::StorageView{.count = static_cast<std::int64_t>(id.items.size())};
        });
        to_json(machine.run(), "input");
    });
}

/// .pth and .ckpt, zip and legacy, and their tensors' bytes.
int fuzz_torch(Input file) {
    return expect_no_more_than_an_error([&] {
        const auto path = put_file("input.pth", text_of(file));
        const auto read = pickle::TorchFile::open(path);
        to_json(read->root(), "input");
        std::vector<pickle::Value> left{read->root()};
        // Dictionaries of tensors, as deep as state dicts go; a cyclic one ends with the count.
        for (int seen = 0; !left.empty() && seen < 10'000; ++seen) {
            const auto value = left.back();
            left.pop_back();
            if (const auto* tensor = value.as<pickle::Tensor>()) touch<std::byte>(read->storage(*tensor));
            if (const auto* dict = value.as<pickle::Dict>())
                for (const auto& entry : dict->entries) left.push_back(entry.value);
            if (const auto* list = value.as<pickle::List>())
                left.insert(left.end(), list->items.begin(), list->items.end());
        }
    });
}

/// With the tensors' bytes.
int fuzz_safetensors(Input file) {
    return expect_no_more_than_an_error([&] {
        const pickle::SafeTensors read(put_file("input.safetensors", text_of(file)));
        for (const auto& tensor : read.tensors) touch<std::byte>(tensor.bytes);
    });
}

/// What describes a file.
int fuzz_onnx(Input file) {
    return expect_no_more_than_an_error([&] {
        const auto read = onnx::read_summary(put_file("input.onnx", text_of(file)));
        Json(read.metadata).dump();  // as every --json does
        Json(read.operations).dump();
        for (const auto& port : read.inputs) Json(port.name + to_string(port.shape)).dump();
    });
}

/// An experiment's `dataset`.
int fuzz_json(Input text) {
    return expect_no_more_than_an_error([&] {
        Fields experiment(parse_json(text_of(text), "input"), "input");
        const auto dataset = experiment.require<Json>("dataset");
        const auto options = DatasetOptions::from_json(dataset, "input: dataset");
        DatasetOptions::from_json(options.to_json(), "again");
        for (const auto* part : {"model", "train"}) experiment.find<Json>(part);
        experiment.finish();
    });
}

std::vector<Target> all_targets() {
    std::vector<Target> list{
        {"idx", fuzz_idx, idx_seeds},       {"png", fuzz_png, png_seeds},
        {"video", fuzz_video, video_seeds}, {"pickle", fuzz_pickle, pickle_seeds},
        {"torch", fuzz_torch, torch_seeds}, {"safetensors", fuzz_safetensors, safetensors_seeds},
        {"onnx", fuzz_onnx, onnx_seeds},    {"json", fuzz_json, json_seeds},
    };
    for (const auto& format : sequence_formats()) {
        list.push_back(
            {lower_case(format.name),
             [&format](Input file) { return fuzz_sequences("input" + format.extensions.front(), file); },
             [&format] { return sequence_seeds(format); }});
    }
    return list;
}

}  // namespace

const std::vector<Target>& targets() {
    static const auto list = all_targets();
    return list;
}

const Target& find_target(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& target : targets()) {
        if (target.name == name) return target;
        names.push_back(target.name);
    }
    fail("'{}' is not fuzzed, expected one of {}", name, fmt::join(names, ", "));
}

}  // namespace stl::fuzz
