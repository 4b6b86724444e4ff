// Moving digits over CIFAR-10 pictures, and disturbed input frames. The reference values are OpenSTL's, made
// once by its script and OpenCV 4.8.1.
#include "stl/glyphs/moving_scene.h"

#include <map>
#include <numeric>
#include <set>
#include <thread>

#include "stl/data/generate.h"
#include "stl/data/registry.h"
#include "stl/data/sets/moving.h"
#include "stl/glyphs/cubic.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t record = 3073;

/// Pictures of one colour each: (10 i + 1, 10 i + 2, 10 i + 3).
std::string flat_records(int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) {
        bytes += static_cast<char>(i % 10);
        for (int c = 1; c <= 3; ++c) bytes += std::string(1024, static_cast<char>(10 * i + c));
    }
    return bytes;
}

DatasetOptions options(const std::string& json) {
    return DatasetOptions::from_json(parse_json(json, "a.json"), "a.json: dataset");
}

std::vector<std::uint8_t> rendered(const MovingScene& scene, const MovingGlyphPlan& plan) {
    std::vector<std::uint8_t> out(static_cast<std::size_t>(scene.shape().elements()), 77);
    scene.render({&plan, 1}, 1, out);
    return out;
}

class CifarScene : public testing::Test {
  protected:
    void SetUp() override { test::write_bytes(file_, flat_records(20)); }
    MovingScene scene(MovingGlyphOptions moving = {}) const {
        return {moving_kind("mmnist_cifar"), moving, {"", file_.string()}, "test"};
    }
    std::string json(const std::string& more = "") const {
        return fmt::format(R"({{"name": "mmnist_cifar", "backgrounds": "{}"{}}})", file_.string(), more);
    }
    test::TemporaryFolder folder_;
    fs::path file_ = folder_ / "pictures.bin";
};

TEST_F(CifarScene, EveryChannelShowsTheLargerOfPictureAndWhiteDigit) {
    const auto it = scene({.frames = 3});
    EXPECT_EQ(it.shape(), (SequenceShape{3, 3, 64, 64}));
    const MovingGlyphPlan plan{.paths = {{5, {{0, 0}, {10, 20}, {36, 36}}}}, .background = 7};
    const auto out = rendered(it, plan);
    const auto shipped = load_glyphs(glyph_path("mmnist", ""));
    const auto glyph = shipped.picture(5);
    EXPECT_GT(std::ranges::count(glyph, std::uint8_t{1}) + std::ranges::count(glyph, std::uint8_t{0}), 300);
    std::vector<std::uint8_t> expected;
    for (const auto corner : plan.paths[0].corners)
        for (std::uint8_t c = 0; c < 3; ++c)
            for (std::size_t y = 0; y < 64; ++y)
                for (std::size_t x = 0; x < 64; ++x) {
                    const auto gy = y - static_cast<std::size_t>(corner.y);
                    const auto gx = x - static_cast<std::size_t>(corner.x);
                    const bool lit = gy < 28 && gx < 28 && glyph[gy * 28 + gx] > 1;
                    expected.push_back(static_cast<std::uint8_t>(lit ? 255 : 71 + c));
                }
    EXPECT_TRUE(out == expected);
}

TEST_F(CifarScene, ChannelsAreRedGreenBlueInEveryKindOfFile) {
    GenerateOptions make{.dataset = "mmnist_cifar",
                         .split = Split::test,
                         .protocol = Protocol::openstl,
                         .sequences = 3,
                         .sources = {"", file_.string()},
                         .threads = 2,
                         .force = true};
    Reporter silent;
    std::vector<std::vector<float>> files;
    for (const auto dtype : {DType::u8, DType::f32})
        for (const auto* name : {"a.h5", "a.npy"}) {
            make.dtype = dtype;
            const auto settings = generate(make, (folder_ / name).string(), silent, {});
            EXPECT_EQ(settings.at("background_count"), 20);
            const auto reader = open_sequences((folder_ / name).string());
            EXPECT_EQ(reader->info().shape, (SequenceShape{20, 3, 64, 64})) << name;
            EXPECT_EQ(reader->info().dtype, dtype);
            files.push_back(test::read_all(*reader));
        }
    EXPECT_THAT(files, Each(files.front()));
    std::vector<float> fetched(files.front().size() / 3);
    make_dataset(options(json()), Split::test, 1)->fetch(0, 1, fetched);
    EXPECT_TRUE(std::equal(fetched.begin(), fetched.end(), files.front().begin() + std::ssize(fetched)));
    const auto red = std::ranges::min(std::span(fetched).first(4096)) * 255;
    EXPECT_NEAR(std::ranges::min(std::span(fetched).subspan(4096, 4096)) * 255, red + 1, 1e-4);
    EXPECT_NEAR(std::ranges::min(std::span(fetched).subspan(8192, 4096)) * 255, red + 2, 1e-4);

    const auto npy = read_text(folder_ / "a.npy");
    EXPECT_THAT(npy.substr(0, 128), HasSubstr("(3, 20, 3, 64, 64)")) << "float colours";
    make.dtype = DType::u8;
    generate(make, (folder_ / "a.npy").string(), silent, {});
    EXPECT_THAT(read_text(folder_ / "a.npy").substr(0, 128), HasSubstr("(20, 3, 64, 64, 3)"))
        << "published form";
}

/// The background is drawn before the digits: backgrounds and digits of the reference's script for seed 0 and
/// 257 pictures.
TEST_F(CifarScene, DrawsAreThoseOfTheReferencesScript) {
    const auto made = scene();
    const auto& glyphs = made.glyphs();
    ProtocolPlanner planner(0, {.backgrounds = 257}, glyphs);
    std::vector<std::int64_t> drawn;
    for (int i = 0; i < 3; ++i) {
        const auto plan = planner.next();
        drawn.insert(drawn.end(), {plan.background, plan.paths[0].glyph, plan.paths[1].glyph});
    }
    EXPECT_THAT(drawn, ElementsAre(215, 51367, 58435, 71, 16417, 39446, 158, 21639, 40035));
}

TEST_F(CifarScene, SequencesDependOnTheirNumberAndTheSeedAlone) {
    const auto small = json(R"(, "input_frames": 2, "output_frames": 1, "val_sequences": 9)");
    std::set<std::vector<float>> seen;
    for (const auto split : {Split::train, Split::validation, Split::test}) {
        const auto one = make_dataset(options(small), split, 3);
        std::vector<float> a(static_cast<std::size_t>(one->shape().elements())), b = a, other = a;
        one->fetch(2, 8, a);
        std::vector<std::vector<float>> by_threads(4, b);
        {
            std::vector<std::jthread> threads;
            for (auto& mine : by_threads) threads.emplace_back([&one, &mine] { one->fetch(2, 8, mine); });
        }
        EXPECT_THAT(by_threads, Each(a)) << split_name(split);
        make_dataset(options(small), split, 3)->fetch(2, 8, b);
        EXPECT_EQ(a, b);
        make_dataset(options(small), split, 4)->fetch(2, 8, other);
        EXPECT_EQ(a == other, split != Split::train) << "training alone has the run's seed";
        seen.insert(a);
    }
    EXPECT_EQ(seen.size(), 3U);
}

TEST_F(CifarScene, ThreadsMakeNoDifference) {
    const auto it = scene({.frames = 4});
    std::vector<MovingGlyphPlan> plans;
    for (std::uint64_t i = 0; i < 7; ++i) plans.push_back(plan_sequence(1, i, it.options(), it.glyphs()));
    std::vector<std::uint8_t> one(7 * static_cast<std::size_t>(it.shape().elements())), many = one;
    it.render(plans, 1, one);
    it.render(plans, 5, many);
    EXPECT_EQ(one, many);
    EXPECT_THAT(error_of([&] { it.render(plans, 2, std::span(one).first(5)); }),
                HasSubstr("the buffer has 5"));
}

TEST_F(CifarScene, EveryPictureIsDrawnAsOften) {
    const auto it = scene({.frames = 1, .digits = 0});
    std::map<std::int64_t, int> counts;
    for (int i = 0; i < 10'000; ++i) ++counts[training_plan(1, 0, i, it.options(), it.glyphs()).background];
    ASSERT_EQ(counts.size(), 20U);
    for (const auto& [picture, n] : counts) EXPECT_NEAR(n, 500, 5 * std::sqrt(500)) << picture;
}

TEST_F(CifarScene, TheExperimentSaysTheShape) {
    EXPECT_EQ(dataset_shape(options(R"({"name": "mmnist_cifar"})")), (SequenceShape{20, 3, 64, 64}));
    EXPECT_EQ(dataset_shape(options(R"({"name": "noisymmnist", "canvas": 50})")),
              (SequenceShape{20, 1, 50, 50}));
    EXPECT_THAT(make_dataset(options(json()), Split::train, 1)->describe(), HasSubstr("20 pictures of "));
    EXPECT_THAT(error_of([&] { options(json(R"(, "noise": 0.1)")); }), HasSubstr("noise: unknown key"));
}

/// Values of cv2.resize(..., INTER_CUBIC) for a plane whose value at (y, x) is (97 y + 61 x + 13 x y) % 256.
TEST(Cubic, IsOpenCVs) {
    std::vector<std::uint8_t> plane;
    for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x) plane.push_back(static_cast<std::uint8_t>(97 * y + 61 * x + 13 * x * y));
    const auto sum = [](const std::vector<std::uint8_t>& v) {
        return std::accumulate(v.begin(), v.end(), 0);
    };
    const auto twice = scale_cubic(plane, 32, 64);
    EXPECT_THAT(std::vector(twice.begin() + 640, twice.begin() + 656),
                ElementsAre(238, 201, 139, 135, 194, 191, 128, 125, 183, 179, 116, 112, 169, 172, 120, 116));
    EXPECT_EQ(sum(twice), 528241);
    const auto larger = scale_cubic(plane, 32, 77);
    EXPECT_THAT(std::vector(larger.begin() + 770, larger.begin() + 782),
                ElementsAre(97, 127, 198, 244, 205, 129, 117, 176, 206, 151, 84, 91));
    EXPECT_NEAR(sum(larger), 764742, 20);
    EXPECT_EQ(scale_cubic(plane, 32, 32), plane);
}

TEST(CifarPictures, SixFilesOfTheirSizeOrOneOfWholeRecords) {
    const test::TemporaryFolder folder;
    const auto message = [&](const fs::path& path) { return error_of([&] { CifarPictures{path}; }); };
    const auto url = HasSubstr("cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html");
    EXPECT_THAT(message(folder.path()),
                AllOf(HasSubstr("data_batch_1.bin: not there, expected 30730000 bytes"), url));
    EXPECT_THAT(message(folder / "nowhere"), AllOf(HasSubstr("nowhere/data_batch_1.bin: not there"), url));
    for (const auto* name :
         {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"}) {
        EXPECT_THAT(message(folder.path()), HasSubstr(fmt::format("{}.bin: not there", name)));
        test::write_bytes(folder / fmt::format("{}.bin", name),
                          name == std::string("test_batch") ? "\x03" : "");
        fs::resize_file(folder / fmt::format("{}.bin", name), 30'730'000);  // a hole: takes no room
    }
    const CifarPictures all(folder.path());
    EXPECT_EQ(all.count(), 60'000);
    EXPECT_THAT(all.picture(59'999), testing::SizeIs(3072));

    fs::resize_file(folder / "data_batch_4.bin", 30'730'000 - 1);
    EXPECT_THAT(message(folder.path()),
                AllOf(HasSubstr("data_batch_4.bin: 30729999 bytes, expected 30730000"), url));
    test::write_bytes(folder / "one.bin", flat_records(3));
    const CifarPictures three(folder / "one.bin");
    EXPECT_EQ(three.count(), 3);
    EXPECT_EQ(three.picture(2)[0], 21);
    EXPECT_EQ(three.picture(2)[3071], 23);
    fs::resize_file(folder / "one.bin", 2 * record + 1);
    EXPECT_THAT(message(folder / "one.bin"),
                AllOf(HasSubstr("6147 bytes, expected a multiple of 3073"), url));
    test::write_bytes(folder / "one.bin", "\x0a" + flat_records(1).substr(1));
    EXPECT_THAT(message(folder / "one.bin"), HasSubstr("starts with 10, expected a label from 0 to 9"));
}

MovingScene noisy_scene(InputNoise noise) {
    return {moving_kind("noisymmnist"), {.input_noise = noise}, {}, "test"};
}

std::span<const std::uint8_t> frames(const std::vector<std::uint8_t>& pixels, std::size_t first,
                                     std::size_t count = 1) {
    return std::span(pixels).subspan(first * 4096, count * 4096);
}

TEST(InputNoise, PerceptualHidesASquareOfEveryInputFrame) {
    const GlyphSet white{
        .count = 1, .height = 64, .width = 64, .pixels = std::vector<std::uint8_t>(4096, 255)};
    const MovingGlyphOptions moving{.digits = 1, .input_noise = {.type = InputNoise::Type::perceptual}};
    std::array<double, 2> sum{};
    int largest = 0, smallest = 64;
    constexpr int sequences = 400;
    std::vector<std::uint8_t> out(20 * 4096);
    for (std::uint64_t i = 0; i < sequences; ++i) {
        render_sequence(plan_sequence(1, i, moving, white), moving, white, out);
        for (std::size_t t = 0; t < 20; ++t) {
            const auto frame = frames(out, t);
            const auto black = std::ranges::find(frame, std::uint8_t{0}) - frame.begin();
            ASSERT_EQ(std::ranges::count(frame, std::uint8_t{0}), t < 10 ? 576 : 0);
            if (t >= 10) continue;
            const auto y = static_cast<int>(black / 64), x = static_cast<int>(black % 64);
            for (int row = y; row < y + 24; ++row)
                for (int column = x; column < x + 24; ++column) ASSERT_EQ(frame[row * 64 + column], 0);
            sum[0] += y;
            sum[1] += x;
            largest = std::max({largest, y, x});
            smallest = std::min({smallest, y, x});
        }
    }
    // Uniform on 0 ... 39, the reference's exclusive bound: deviation 11.5, of 4,000 places 0.18.
    for (const auto s : sum) EXPECT_NEAR(s / (10 * sequences), 19.5, 0.8);
    EXPECT_EQ(smallest, 0);
    EXPECT_EQ(largest, 39);
}

TEST(InputNoise, MissingBlackensInputFramesWithItsProbability) {
    const auto disturbed = noisy_scene({.type = InputNoise::Type::missing, .mis_prob = 0.3});
    const auto plain = noisy_scene({});
    int black = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
        const auto plan = plan_sequence(4, i, plain.options(), plain.glyphs());
        const auto noisy = rendered(disturbed, plan);
        const auto clean = rendered(plain, plan);
        for (std::size_t t = 0; t < 10; ++t) {
            const bool same = std::ranges::equal(frames(noisy, t), frames(clean, t));
            if (!same) {
                ASSERT_EQ(std::ranges::max(frames(noisy, t)), 0);
            }
            black += same ? 0 : 1;
        }
        ASSERT_TRUE(std::ranges::equal(frames(noisy, 10, 10), frames(clean, 10, 10))) << "truth stays clean";
    }
    EXPECT_NEAR(black / 2000.0, 0.3, 0.05);
}

TEST(InputNoise, DynamicShakesTheWayOfTheInputFramesAlone) {
    const GlyphSet dot{.count = 1, .height = 1, .width = 1, .pixels = {255}};
    MovingGlyphOptions moving{.canvas = 8001, .digits = 1};
    const auto clean = moving;
    moving.input_noise = {.type = InputNoise::Type::dynamic, .sigma = 0.5};
    double squares = 0, straight = 0;
    int n = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
        const auto a = plan_sequence(1, i, moving, dot).paths[0].corners;
        const auto b = plan_sequence(1, i, clean, dot).paths[0].corners;
        const auto inside = [](const auto& c) { return c.x > 0 && c.x < 8000 && c.y > 0 && c.y < 8000; };
        // The first step, where neither met an edge: the same start, so what differs is the noise.
        if (inside(a[0]) && inside(b[0])) {
            for (const double d : {a[0].x - b[0].x, a[0].y - b[0].y}) squares += d * d;
            n += 2;
        }
        // Later frames: as straight as without.
        if (std::all_of(a.begin() + 10, a.end(), inside))
            for (std::size_t t = 12; t < 20; ++t)
                straight = std::max<double>(straight, std::abs(a[t].x - 2 * a[t - 1].x + a[t - 2].x));
    }
    ASSERT_GT(n, 2000);
    // Of steps of 0.1 * 8000 pixels; those that met an edge (the longer ones) are missing.
    EXPECT_NEAR(std::sqrt(squares / n) / 800, 0.5, 0.06);
    EXPECT_LE(straight, 2) << "rounding alone";
}

TEST(InputNoise, TestSetsAreDisturbedUnlessToldOtherwise) {
    const auto first = [](const std::string& more, Split split) {
        const auto data = make_dataset(
            options(R"({"name": "noisymmnist", "test_sequences": 3, "val_sequences": 3)" + more + "}"), split,
            1);
        std::vector<float> out(static_cast<std::size_t>(data->shape().elements()));
        data->fetch(0, 1, out);
        return out;
    };
    const auto half = [](const std::vector<float>& all, bool second) {
        return std::vector<float>(all.begin() + (second ? 40960 : 0), all.end() - (second ? 0 : 40960));
    };
    const auto clean = first(R"(, "test_noise_type": "none")", Split::test);
    const auto noisy = first("", Split::test);
    EXPECT_NE(half(noisy, false), half(clean, false));
    EXPECT_EQ(half(noisy, true), half(clean, true));
    EXPECT_EQ(noisy, first("", Split::test));
    EXPECT_NE(first("", Split::validation),
              first(R"(, "noise_type": "none", "test_noise_type": "missing")", Split::validation));
    const auto mmnist = make_dataset(options(R"({"name": "mmnist", "test_sequences": 3})"), Split::test, 1);
    std::vector<float> plain(clean.size());
    mmnist->fetch(0, 1, plain);
    EXPECT_EQ(clean, plain) << "the reference's protocol underneath";

    const auto experiment = options(R"({"name": "noisymmnist", "noise_type": "missing", "input_frames": 3})");
    EXPECT_THAT(make_dataset(experiment, Split::train, 1)->describe(), HasSubstr("missing noise"));
    EXPECT_THAT(error_of([&] { options(R"({"name": "noisymmnist", "noise_type": "missin"})"); }),
                HasSubstr("a.json: dataset.noise_type: 'missin', expected none, perceptual"));
    EXPECT_THAT(error_of([&] {
                    make_dataset(options(R"({"name": "noisymmnist", "mis_prob": 1.5})"), Split::train, 1);
                }),
                HasSubstr("mis_prob of 1.5"));
}

TEST(InputNoise, GeneratedFilesHoldWhatTheDataSetGives) {
    const test::TemporaryFolder folder;
    Reporter silent;
    for (const auto* type : {"perceptual", "missing", "dynamic"}) {
        GenerateOptions make{.dataset = "noisymmnist",
                             .split = Split::test,
                             .protocol = Protocol::openstl,
                             .sequences = 2,
                             .force = true};
        make.moving.input_noise = {.type = noise_type(type, "")};
        const auto settings = generate(make, (folder / "a.h5").string(), silent, {});
        EXPECT_EQ(settings.at("noise_type"), type);
        EXPECT_EQ(settings.at("noisy_frames"), 10);
        const auto stored = test::read_all(*open_sequences((folder / "a.h5").string()));
        const auto data =
            make_dataset(options(fmt::format(
                             R"({{"name": "noisymmnist", "noise_type": "{}", "test_sequences": 2}})", type)),
                         Split::test, 1);
        std::vector<float> fetched(stored.size() / 2);
        data->fetch(0, 1, fetched);
        EXPECT_TRUE(std::equal(fetched.begin(), fetched.end(), stored.begin() + std::ssize(fetched))) << type;
    }
}

}  // namespace
}  // namespace stl
