// One notion of continuity: whatever parts the frames of a source, no consumer takes frames from both sides of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "stl/import/import.h"
#include "stl/media/png.h"
#include "stl/predict/source.h"
#include "tests/media/timed_clip.h"
#include "tests/media/tools.h"
#include "tests/support/notes.h"

namespace stl {
namespace {

constexpr int before = 8, behind = 5;  ///< frames on both sides

int value_of(int frame) {
    return frame < before ? 10 * frame : 60 + 10 * frame;
}

using Make = void (*)(const fs::path& path);

void pictures(const fs::path& folder, int first_behind, int side_behind = 16) {
    fs::create_directories(folder);
    for (int k = 0; k < before + behind; ++k) {
        const bool first = k < before;
        const int side = first ? 16 : side_behind;
        write_png(folder / fmt::format("{:03}.png", first ? k : first_behind + k - before),
                  Image(side, side, 1, static_cast<std::uint8_t>(value_of(k))));
    }
}

void clip(const fs::path& path, const char* luma, int frames) {
    test::ffmpeg(fmt::format(
        "-f lavfi -i color=black:size=16x16:rate=10:duration={} -vf format=gray,geq=lum='{}' -c:v ffv1 "
        "-pix_fmt gray {}",
        frames / 10.0, luma, path.string()));
}

void numbers_jump(const fs::path& path) {
    pictures(path, 20);
}
void another_name(const fs::path& path) {
    pictures(path, 500);
    for (int k = 500; k < 500 + behind; ++k)
        fs::rename(path / fmt::format("{}.png", k), path / fmt::format("other_{}.png", k));
}
void another_size(const fs::path& path) {
    pictures(path, before, 24);
}
void damaged_picture(const fs::path& path) {
    pictures(path, before + 1);
    write_text(path / fmt::format("{:03}.png", before), "no picture");
}
void unknown_kind(const fs::path& path) {
    pictures(path, before + 1);
    write_text(path / fmt::format("{:03}.heic", before), "no picture that can be read");
}
void joined_files(const fs::path& path) {
    const auto part = path.parent_path() / "part.mkv";
    clip(part, "10*N", before);
    std::string bytes = read_text(part);
    clip(part, "140+10*N", behind);
    write_text(path, bytes + read_text(part));
}
void a_pause(const fs::path& path) {
    test::TimedClip made{{}, 100, 10, 0};
    for (int k = 0; k < 15; ++k) made.times.push_back(100 * k + (k < 10 ? 0 : 30000));
    test::write_clip(path, "matroska", made);
}
struct Gap {
    const char* name;
    Make make;
    std::string file = "in";
};
std::ostream& operator<<(std::ostream& out, const Gap& gap) {
    return out << gap.name;
}

class Continuity : public testing::TestWithParam<Gap> {
  protected:
    Continuity() : input_((folder_ / GetParam().file).string()) {
        GetParam().make(input_);
        VideoOptions options;
        options.channels = 1;
        VideoReader reader(input_, options);
        while (const auto frame = reader.next()) {
            if (frame->after_gap) {
                ++gaps_;
                gap_at_ = times_.size();
            }
            times_.push_back(frame->time);
            values_.push_back(frame->image.pixels[0]);
        }
    }
    /// Values grow from frame to frame.
    bool is_behind(float value) const { return std::lround(value * 255) >= values_.at(gap_at_) - 1; }
    bool is_mixed(std::span<const float> frames, std::size_t frame_size) const {
        return is_behind(frames.front()) != is_behind(frames[frames.size() - frame_size]);
    }
    /// Windows of so many frames on both sides.
    std::int64_t windows_of(std::int64_t length) const {
        const auto in = [&](std::int64_t frames) { return std::max<std::int64_t>(0, frames - length + 1); };
        return in(static_cast<std::int64_t>(gap_at_)) +
               in(std::ssize(times_) - static_cast<std::int64_t>(gap_at_));
    }
    std::unique_ptr<PredictionSource> open(std::int64_t frames, const SourceOptions& options) {
        return open_source(input_, {frames, 1, 16, 16}, options, notes_);
    }
    /// Whether the next window lies on both sides; nullopt: there is none.
    std::optional<bool> next_is_mixed(PredictionSource& source) const {
        const auto x = source.next(1);
        if (!x.defined()) return std::nullopt;
        const auto values = x[0].contiguous();
        return is_mixed({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())}, 256);
    }

    test::TemporaryFolder folder_;
    std::string input_;
    test::Notes notes_;
    std::int64_t gaps_ = 0;
    std::size_t gap_at_ = 0;
    std::vector<double> times_;
    std::vector<int> values_;
};

TEST_P(Continuity, TheReaderTells) {
    EXPECT_EQ(gaps_, 1);
    EXPECT_GE(gap_at_, 8U);
    EXPECT_GE(times_.size() - gap_at_, 5U);
}

TEST_P(Continuity, ImportCutsNoSequenceAcross) {
    ImportOptions o;
    o.inputs = {input_};
    o.output = (folder_ / "out.h5").string();
    o.height = o.width = 16;
    o.channels = 1;
    o.length = 4;
    o.stride = 1;
    const auto report = import_sequences(o, notes_);
    EXPECT_EQ(report.sequences, windows_of(4));
    const auto reader = open_sequences(o.output);
    std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
    for (std::int64_t row = 0; row < reader->info().count; ++row) {
        reader->read(row, 1, values);
        EXPECT_FALSE(is_mixed(values, 256)) << row;
    }
}

TEST_P(Continuity, NorDoesPredictionAlongTheClip) {
    for (const bool counted : {false, true}) {
        SourceOptions options;
        options.every = 1;
        options.counted = counted;
        const auto source = open(4, options);
        std::int64_t windows = 0;
        for (; const auto mixed = next_is_mixed(*source); ++windows) EXPECT_FALSE(*mixed) << windows;
        EXPECT_EQ(windows, windows_of(4));
        EXPECT_EQ(source->count(), counted ? windows : unknown_count);
    }
}

TEST_P(Continuity, NorDoThoseAtTheEnd) {
    const auto length = std::ssize(times_) - static_cast<std::int64_t>(gap_at_) + 1;
    if (length <= static_cast<std::int64_t>(gap_at_)) {
        EXPECT_EQ(next_is_mixed(*open(length, {})), false);
        EXPECT_THAT(notes_.warnings, testing::Contains(testing::HasSubstr("run over a gap")));
    }
    EXPECT_EQ(next_is_mixed(*open(length - 1, {})), false);
}

TEST_P(Continuity, NorThoseBeforeAMoment) {
    const double at = (times_[gap_at_ + 1] + times_[gap_at_ + 2]) / 2;
    SourceOptions options;
    options.at = at;
    EXPECT_EQ(next_is_mixed(*open(4, options)), false);
    EXPECT_THAT(notes_.warnings, testing::Contains(testing::HasSubstr("run over a gap")));
    EXPECT_EQ(next_is_mixed(*open(2, options)), false);
}

INSTANTIATE_TEST_SUITE_P(Readers, Continuity,
                         testing::Values(Gap{"NumbersJump", numbers_jump}, Gap{"AnotherName", another_name},
                                         Gap{"AnotherSize", another_size},
                                         Gap{"DamagedPicture", damaged_picture},
                                         Gap{"UnknownKind", unknown_kind},
                                         Gap{"JoinedFiles", joined_files, "in.mkv"},
                                         Gap{"Pause", a_pause, "in.mkv"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace stl
