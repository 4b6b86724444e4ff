// From clips to predicted video, as somebody with a folder of videos goes it: import, train, predict, render.
// FFmpeg's generators make the clips; ffprobe and ffmpeg judge what comes out.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <spawn.h>

#include <chrono>
#include <thread>

#include "stl/formats/sequences.h"
#include "stl/media/png.h"
#include "tests/media/tools.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class VideoJourneyTest : public ProgramTest {
  protected:
    void SetUp() override {
        ProgramTest::SetUp();
        fs::create_directories(folder_ / "clips");
        const auto clip = [&](const std::string& source, const std::string& name) {
            test::ffmpeg(fmt::format("-f lavfi -i {}=size=96x64:rate=12 -t 3 -pix_fmt yuv420p {}", source,
                                     (folder_ / "clips" / name).string()));
        };
        clip("testsrc2", "test.mp4");
        clip("life", "life.gif");
        clip("mandelbrot", "mandelbrot.mkv");
        clip("cellauto", "cells.webm");
        write_text(folder_ / "clips.json", R"({
            "dataset": {"name": "file", "path": "clips.h5", "input_frames": 4, "output_frames": 4,
                        "augment": {"flip": "horizontal", "reverse": true}},
            "model": {"translator": "gsta", "hid_S": 4, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2},
            "train": {"steps": 20, "batch_size": 4, "lr": 0.005, "threads": 1}})");
    }
    void import_clips() const {
        good("import clips --output clips.h5 --size 32x32 --gray --length 8 --stride 4");
    }
    void train(const std::string& run, const std::string& more = "") const {
        good("train clips.json --device cpu --run " + run + more);
    }
    /// "h264 96 64 yuv420p 12/1 4"
    std::string probed(const std::string& name) const {
        std::string text;
        for (const char* entry :
             {"codec_name", "width", "height", "pix_fmt", "r_frame_rate", "nb_read_frames"}) {
            text += (text.empty() ? "" : " ") + test::probe(folder_ / name, entry);
        }
        return text;
    }
    /// Frames of the first sequence of a file with one channel, as pictures.
    std::vector<Image> stored_frames(const std::string& name, std::int64_t row = 0) const {
        const auto reader = open_sequences((folder_ / name).string());
        const auto& shape = reader->info().shape;
        std::vector<float> values(static_cast<std::size_t>(shape.elements()));
        reader->read(row, 1, values);
        std::vector<Image> frames;
        for (std::int64_t t = 0; t < shape.frames; ++t) {
            Image image(static_cast<int>(shape.height), static_cast<int>(shape.width), 1);
            for (std::size_t i = 0; i < image.pixels.size(); ++i) {
                const float v = values[static_cast<std::size_t>(t) * image.pixels.size() + i];
                image.pixels[i] = static_cast<std::uint8_t>(std::clamp(v * 255 + 0.5F, 0.0F, 255.0F));
            }
            frames.push_back(std::move(image));
        }
        return frames;
    }
    void expect_same_pictures(const std::vector<Image>& a, const std::vector<Image>& b,
                              double tolerance) const {
        ASSERT_EQ(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            EXPECT_LT(test::mean_difference(a[i], b[i]), tolerance) << "frame " << i;
        }
    }
};

TEST_F(VideoJourneyTest, ImportGivesWhatFfmpegGives) {
    good("import clips/test.mp4 --output test.h5 --size 48x32 --rgb --length 36");
    const auto reader = open_sequences((folder_ / "test.h5").string());
    ASSERT_EQ(reader->info().shape, (SequenceShape{36, 3, 32, 48}));
    EXPECT_DOUBLE_EQ(reader->info().fps, 12);
    std::vector<float> values(static_cast<std::size_t>(reader->info().shape.elements()));
    reader->read(0, 1, values);
    const auto frames = test::decode_with_ffmpeg(folder_ / "clips/test.mp4", 32, 48, 3,
                                                 "-vf scale=48:32:flags=area+accurate_rnd+full_chroma_int");
    ASSERT_EQ(frames.size(), 36U);
    double difference = 0;
    for (std::size_t t = 0; t < 36; ++t) {
        for (std::size_t i = 0; i < 32 * 48 * 3; ++i) {
            const float v = values[(t * 3 + i % 3) * 32 * 48 + i / 3];
            difference += std::abs(v * 255 - static_cast<float>(frames[t].pixels[i]));
        }
    }
    EXPECT_LT(difference / static_cast<double>(values.size()), 2);
}

TEST_F(VideoJourneyTest, FromClipsToPredictedVideo) {
    import_clips();
    const auto inspected = json("inspect clips.h5 --json");
    EXPECT_EQ(inspected["sequences"], 32);
    EXPECT_EQ(inspected["fps"], 12);
    EXPECT_GT(inspected["splits"]["train"].get<int>(), 0);
    EXPECT_GT(inspected["splits"]["validation"].get<int>(), 0);
    train("run");

    good("predict run --input clips/test.mp4 --output next.mp4");
    good("predict run --input clips/test.mp4 --output next.h5");
    EXPECT_EQ(probed("next.mp4"), "h264 32 32 yuv420p 12/1 4");
    const auto next = stored_frames("next.h5");
    expect_same_pictures(test::decode_with_ffmpeg(folder_ / "next.mp4", 32, 32, 1), next, 6);

    good("predict run --input clips/test.mp4 --output full.mp4 --full-size");
    EXPECT_EQ(probed("full.mp4"), "h264 96 64 yuv420p 12/1 4");
    expect_same_pictures(
        test::decode_with_ffmpeg(folder_ / "full.mp4", 32, 32, 1, "-vf scale=32:32:flags=area"), next, 6);

    test::ffmpeg(fmt::format("-i {} -vf setsar=4/3 {}", (folder_ / "clips/test.mp4").string(),
                             (folder_ / "wide.mp4").string()));
    good("predict run --input wide.mp4 --output wide-next.mp4 --full-size");
    EXPECT_EQ(test::probe(folder_ / "wide-next.mp4", "sample_aspect_ratio"), "4:3");

    good("predict run --input clips/test.mp4 --output long.gif --frames 9");
    EXPECT_THAT(probed("long.gif"), StartsWith("gif 32 32"));
    EXPECT_EQ(test::probe(folder_ / "long.gif", "nb_read_frames"), "9");

    good("predict run --input clips/test.mp4 --output every.mp4 --every 8");  // windows end at 4, 12, .. 36
    EXPECT_EQ(probed("every.mp4"), "h264 32 32 yuv420p 12/1 20");

    good("predict run --input clips/mandelbrot.mkv --output tiles.mp4 --tile");
    EXPECT_EQ(probed("tiles.mp4"), "h264 96 64 yuv420p 12/1 4");
    // A frame of the network's own size is one tile.
    good("predict run --input clips.h5 --output plain.h5");
    good("predict run --input clips.h5 --output tile.h5 --tile");
    EXPECT_NEAR(json("metrics tile.h5 plain.h5 --json")["mse"].get<double>(), 0, 1e-6);
    // And a tile as large as the frame is the whole frame.
    good("predict run --input clips/test.mp4 --output whole.h5 --tile --tile-size 96x64");
    EXPECT_EQ(stored_frames("whole.h5").front().width, 96);
}

/// True if `part` (gray) stands somewhere in `picture` (RGB), to the last bit.
bool holds(const Image& picture, const Image& part) {
    const auto stands_at = [&](int top, int left) {
        for (int y = 0; y < part.height; ++y) {
            for (int x = 0; x < part.width; ++x) {
                for (int c = 0; c < 3; ++c) {
                    if (picture.at(top + y, left + x, c) != part.at(y, x)) return false;
                }
            }
        }
        return true;
    };
    for (int top = 0; top + part.height <= picture.height; ++top) {
        for (int left = 0; left + part.width <= picture.width; ++left) {
            if (stands_at(top, left)) return true;
        }
    }
    return false;
}

TEST_F(VideoJourneyTest, SeveralRunsSideBySide) {
    import_clips();
    train("a");
    train("b", " --set model.translator=moganet");
    for (const auto& [name, expected] : std::map<std::string, std::string>{{"x.mp4", "yuv420p 12/1 8"},
                                                                           {"x.webm", "yuv420p 12/1 8"},
                                                                           {"x.apng", "rgb24 12/1 8"},
                                                                           {"x.gif", " 8"}}) {
        good("render a b --data clips.h5 --sequences 2 --scale 2 --output " + name);
        EXPECT_THAT(probed(name), testing::EndsWith(expected));
        const auto first = read_text(folder_ / name);
        good("render a b --data clips.h5 --sequences 2 --scale 2 --force --output " + name);
        EXPECT_EQ(read_text(folder_ / name), first) << name << ": not the same bytes";
    }
    for (const char* name : {"figure.png", "figure.svg"}) {
        good(std::string("render a b --data clips.h5 --figure --output ") + name);
        const auto first = read_text(folder_ / name);
        good(std::string("render a b --data clips.h5 --figure --force --output ") + name);
        EXPECT_EQ(read_text(folder_ / name), first) << name << ": not the same bytes";
    }
    good("render a/ b/ --data clips.h5 --figure --output slashes.svg");
    const auto svg = read_text(folder_ / "slashes.svg");
    EXPECT_EQ(svg, read_text(folder_ / "figure.svg"));
    for (const char* row : {">input<", ">truth<", ">a<", ">b<", "t=8"}) EXPECT_THAT(svg, HasSubstr(row));
    // What is shown is what is stored and predicted, to the last bit.
    const auto reader = open_sequences((folder_ / "clips.h5").string());
    const auto row = reader->rows(Split::test).at(0);
    good("predict a --input clips.h5 --output a.h5");
    good(fmt::format("render a --data clips.h5 --sequences 1 --scale 1 --output frames"));
    const auto stored = stored_frames("clips.h5", row), predicted = stored_frames("a.h5", row);
    const auto last = read_png(folder_ / "frames/frame_0007.png");
    EXPECT_TRUE(holds(last, stored[7])) << "truth";
    EXPECT_TRUE(holds(last, predicted[3])) << "prediction";
    EXPECT_FALSE(holds(last, stored[6]));
    EXPECT_TRUE(holds(read_png(folder_ / "frames/frame_0003.png"), stored[3])) << "input";
}

TEST_F(VideoJourneyTest, OnesOwnClipsNeedNoExperimentFile) {
    import_clips();
    const auto told =
        good("train --data clips.h5 --scale small --device cpu --set train.steps=4 --set train.threads=1")
            .err;
    EXPECT_THAT(told, HasSubstr("clips.h5: "));
    EXPECT_THAT(told, HasSubstr("2 epochs of 2 steps"));
    const auto experiment = read_json(folder_ / "runs/clips/experiment.json");
    EXPECT_EQ(experiment["dataset"]["path"], (folder_ / "clips.h5").string());
    EXPECT_EQ(experiment["dataset"]["input_frames"], 4);
    EXPECT_EQ(experiment["model"]["hid_S"], 16);
    // The run keeps its scale, whichever would be chosen now.
    good("train --data clips.h5 --resume --device cpu --set train.steps=4 --set train.threads=1");
    EXPECT_THAT(
        good("train --data clips.h5 --run timed --device cpu --set train.steps=1 --set train.threads=1").err,
        HasSubstr("scale small: about"));
    refused("train --data clips.h5 clips.json", 2, "--data");
    refused("train --scale small clips.json", 2, "--scale requires --data");
    refused("train", 2, "EXPERIMENT is required");
    refused("train --data clips/test.mp4", 1, "test.mp4");
    refused("import runs/clips --output a.h5", 1, "it is a run");

    good("predict runs/clips --input clips/test.mp4 --output look.mp4 --with-input");
    EXPECT_EQ(probed("look.mp4"), "h264 264 264 yuv420p 5/1 8");
    good("predict runs/clips --input clips/test.mp4 --output look.h5 --with-input");
    EXPECT_EQ(open_sequences((folder_ / "look.h5").string())->info().shape.frames, 8);
    good("predict runs/clips --input clips/test.mp4 --output tiles.h5 --with-input --tile");
    EXPECT_EQ(open_sequences((folder_ / "tiles.h5").string())->info().shape, (SequenceShape{8, 1, 64, 96}));
}

TEST_F(VideoJourneyTest, TheBenchmarksExperimentsHaveNames) {
    refused("train mmnist/gstaa", 1, "mmnist/gstaa: no such file");
    EXPECT_THAT(good("train mmnist/gsta --run small --device cpu --set model.hid_S=2 --set model.hid_T=8 "
                     "--set model.N_S=2 "
                     "--set model.N_T=2 --set train.steps=1 --set train.batch_size=1 --set train.threads=1 "
                     "--set dataset.train_sequences=2 --set dataset.val_sequences=1")
                    .err,
                HasSubstr("trained 1 step"));
}

TEST_F(VideoJourneyTest, AnInterruptedImportLeavesNothing) {
    const auto before = std::distance(fs::directory_iterator(folder_), {});
    // A thousand frames a second of a clip of three seconds: long enough to be interrupted.
    const std::vector<std::string> words{STL_PROGRAM,
                                         "import",
                                         (folder_ / "clips/test.mp4").string(),
                                         "--output",
                                         (folder_ / "out.h5").string(),
                                         "--fps",
                                         "1000",
                                         "--size",
                                         "256",
                                         "--stride",
                                         "1"};
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t silent;
    posix_spawn_file_actions_init(&silent);
    posix_spawn_file_actions_addopen(&silent, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t pid = 0;
    ASSERT_EQ(posix_spawn(&pid, STL_PROGRAM, &silent, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&silent);
    // The unfinished file shows that it is at work.
    for (int i = 0; i < 600 && std::distance(fs::directory_iterator(folder_), {}) == before; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_GT(std::distance(fs::directory_iterator(folder_), {}), before);
    kill(pid, SIGINT);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 130);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), before) << "something is left";
}

TEST_F(VideoJourneyTest, BadVideosAreRefusedInOneLine) {
    import_clips();
    train("run");
    test::ffmpeg("-f lavfi -i sine -t 1 " + (folder_ / "sound.m4a").string());
    test::ffmpeg("-f lavfi -i testsrc2=size=32x32 -frames:v 1 " + (folder_ / "one.mp4").string());
    write_text(folder_ / "text.mp4", "not a video");
    write_text(folder_ / "empty.mp4", "");
    write_text(folder_ / "huge.png", test::tiny_png_of(1 << 20, 1 << 20));
    fs::create_directories(folder_ / "nothing");
    const auto refused = [&](const std::string& arguments, int status, const std::string& what) {
        ProgramTest::refused(arguments, status, what);
        EXPECT_FALSE(fs::exists(folder_ / "out.h5") || fs::exists(folder_ / "out.mp4")) << arguments;
    };
    for (const std::string command :
         {"import {} --output out.h5", "predict run --output out.mp4 --input {}"}) {
        const auto with = [&](const std::string& name) { return fmt::format(fmt::runtime(command), name); };
        refused(with("sound.m4a"), 1, "holds sound alone, expected a video");
        refused(with("text.mp4"), 1, "text.mp4: not a video that can be read");
        refused(with("empty.mp4"), 1, "empty.mp4: is empty, expected a video");
        refused(with("missing.mp4"), 1, "missing.mp4: no such file");
        refused(with("huge.png"), 1,
                "huge.png: not one frame can be decoded (Picture size 1048576x1048576 is invalid)");
        refused(with("nothing"), 1, "nothing");
    }
    refused("predict run --input one.mp4 --output out.mp4", 1,
            "one.mp4: 1 frame at 12 frames per second (--fps chooses another rate), the model expects 4");
    refused("predict run --input clips.h5 --output out.mp4 --full-size", 2, "--full-size is for videos");
    refused("predict run --input clips.h5 --output out.mp4 --every 2", 2, "--every is for videos");
    refused("predict run --input clips/test.mp4 --output out.txt", 1, "expected .h5, .npy, .mp4");
    refused("predict run --input clips/test.mp4 --output out.mp4 --max-pixels 2000", 1,
            "96x64 pixels, the limit is 2000 pixels (--max-pixels raises it)");
    refused("predict run --input clips/test.mp4 --output out.mp4 --stream 5", 1, "stream 5 is not a video");
    refused("import clips/test.mp4", 2, "--output FILE.h5 is required");
    refused("import clips/test.mp4 --output out.mp4", 2, "--output FILE.h5 is required");
    refused("predict run --input clips/test.mp4 --output out.mp4 --tile-size 64", 2, "--tile");
    refused("predict run --input clips/test.mp4 --output out.mp4 --tile --tile-overlap 20", 1,
            "it is half a side at most");
}

}  // namespace
}  // namespace stl
