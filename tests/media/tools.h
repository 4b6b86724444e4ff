// What the media tests share: a folder of their own, and the ffmpeg and ffprobe programs as independent
// judges. Where those programs are missing the tests fail: cmake/dependencies.txt lists them.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <zlib.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/media/image.h"
#include "stl/media/video_reader.h"
#include "tests/support/checks.h"

namespace stl::test {

/// Standard output of a shell command that must succeed.
inline std::string run(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) throw std::runtime_error("cannot run " + command);
    std::string out;
    char block[65536];
    for (std::size_t n = 0; (n = fread(block, 1, sizeof(block), pipe)) > 0;) out.append(block, n);
    const int status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error("this command of the test failed (is the ffmpeg package there?): " +
                                 command);
    }
    return out;
}

/// ffmpeg -i ... with quiet defaults; `arguments` ends with the output.
inline void ffmpeg(const std::string& arguments) {
    run("ffmpeg -nostdin -v error -y " + arguments + " 2>&1");
}

/// One value of the first video stream, e.g. probe(file, "nb_read_frames").
inline std::string probe(const fs::path& file, const std::string& entry) {
    std::string text =
        run("ffprobe -v error -count_frames -select_streams v:0 -show_entries stream=" + entry +
            " -of default=nw=1:nk=1 '" + file.string() + "'");
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text.substr(0, text.find('\n'));
}

/// All frames as ffmpeg decodes them, after `filter`, in pixel format gray or rgb24.
inline std::vector<Image> decode_with_ffmpeg(const fs::path& file, int height, int width, int channels,
                                             const std::string& arguments = "") {
    const std::string raw = run("ffmpeg -nostdin -v error -i '" + file.string() + "' " + arguments +
                                " -f rawvideo -pix_fmt " + (channels == 1 ? "gray" : "rgb24") + " -");
    const std::size_t size = static_cast<std::size_t>(height) * static_cast<std::size_t>(width * channels);
    if (raw.size() % size != 0) throw std::runtime_error("ffmpeg gave frames of another size");
    std::vector<Image> frames;
    for (std::size_t i = 0; i < raw.size(); i += size) {
        Image image(height, width, channels);
        std::copy_n(raw.begin() + static_cast<std::ptrdiff_t>(i), size, image.pixels.begin());
        frames.push_back(std::move(image));
    }
    return frames;
}

inline std::vector<Frame> read_all(const fs::path& path, const VideoOptions& options = {}) {
    VideoReader reader(path, options);
    std::vector<Frame> frames;
    while (auto frame = reader.next()) frames.push_back(std::move(*frame));
    return frames;
}

namespace png {
inline std::string number(std::uint32_t v) {
    return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
            static_cast<char>(v)};
}

inline std::string chunk(const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    return number(static_cast<std::uint32_t>(data.size())) + body + number(crc);
}
}  // namespace png

/// A PNG of a few bytes whose (correct) header claims any size.
inline std::string tiny_png_of(std::uint32_t width, std::uint32_t height) {
    using namespace std::string_literals;
    return "\x89PNG\r\n\x1a\n" +
           png::chunk("IHDR", png::number(width) + png::number(height) + "\x08\x02\0\0\0"s) +
           png::chunk("IDAT", "x") + png::chunk("IEND", "");
}

inline double mean_difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.pixels.size(), b.pixels.size());
    double sum = 0;
    for (std::size_t i = 0; i < std::min(a.pixels.size(), b.pixels.size()); ++i) {
        sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
    }
    return sum / static_cast<double>(a.pixels.size());
}

inline int largest_difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.pixels.size(), b.pixels.size());
    int worst = 0;
    for (std::size_t i = 0; i < std::min(a.pixels.size(), b.pixels.size()); ++i) {
        worst = std::max(worst, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
    }
    return worst;
}

}  // namespace stl::test
