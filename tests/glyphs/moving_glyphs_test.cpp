// Moving glyphs: the published test sets bit for bit, and the distribution that training draws from.
#include "stl/glyphs/moving_glyphs.h"

#include <openssl/evp.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "stl/data/sets/moving.h"
#include "stl/formats/npy_file.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

constexpr std::int64_t sequence_count = 10'000;

class Sha256 {
  public:
    Sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
    void add(const void* data, std::size_t bytes) { EVP_DigestUpdate(context_.get(), data, bytes); }
    std::string hex() {
        std::array<unsigned char, 32> digest{};
        EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
        std::string text;
        for (const auto byte : digest) text += fmt::format("{:02x}", byte);
        return text;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

std::string sha256(std::span<const std::uint8_t> bytes) {
    Sha256 hash;
    hash.add(bytes.data(), bytes.size());
    return hash.hex();
}

const GlyphSet& shipped_glyphs(std::string_view kind) {
    static std::map<std::string_view, GlyphSet> loaded;
    const auto* const name = kind == "mnist" ? "mmnist" : "mfmnist";
    if (!loaded.contains(name)) loaded[name] = load_glyphs(glyph_path(name, ""));
    return loaded[name];
}

std::vector<MovingGlyphPlan> protocol(const GlyphSet& glyphs, std::uint64_t seed, std::int64_t count) {
    ProtocolPlanner planner(seed, {}, glyphs);
    std::vector<MovingGlyphPlan> plans;
    for (std::int64_t i = 0; i < count; ++i) plans.push_back(planner.next());
    return plans;
}

std::vector<std::uint8_t> rendered(const std::vector<MovingGlyphPlan>& plans, const GlyphSet& glyphs,
                                   FrameStrides strides, int threads = 1) {
    std::vector<std::uint8_t> pixels(plans.size() * 20 * 64 * 64, 7);
    render_sequences(plans, {}, glyphs, strides, threads, pixels);
    return pixels;
}

struct Published {
    std::string kind;
    std::uint64_t seed;
    std::string name() const { return kind + "_seed" + std::to_string(seed); }
};

void PrintTo(const Published& p, std::ostream* out) {
    *out << p.name();
}

class PublishedSets : public testing::TestWithParam<Published> {
  protected:
    const GlyphSet& glyphs() const { return shipped_glyphs(GetParam().kind); }
    std::string digest(const std::string& what) const {
        return read_json(test::reference("moving_glyphs/digests.json")).at(GetParam().name()).at(what);
    }
};

TEST_P(PublishedSets, FirstSequencesAreThose) {
    const auto reader = open_sequences(
        test::reference("moving_glyphs/first_sequences.h5:" + GetParam().name()), {.layout = "TNHW"});
    const auto expected = test::read_all(*reader);
    const auto pixels = rendered(protocol(glyphs(), GetParam().seed, 4), glyphs(), sequence_major({}));
    ASSERT_EQ(expected.size(), pixels.size());
    for (std::size_t i = 0; i < pixels.size(); ++i)
        ASSERT_EQ(pixels[i] / 255.0F, expected[i]) << "pixel " << i;
}

TEST_P(PublishedSets, FirstHundredHaveTheirDigests) {
    const auto plans = protocol(glyphs(), GetParam().seed, 100);
    const auto by_sequence = rendered(plans, glyphs(), sequence_major({}));
    const auto by_frame = rendered(plans, glyphs(), frame_major({}, 100), 3);
    EXPECT_EQ(sha256(by_sequence), digest("first100_seqmajor_uint8_sha256"));
    EXPECT_EQ(sha256(by_frame), digest("first100_uint8_sha256"));
}

/// All ten thousand, as the NPY file that holds them.
TEST_P(PublishedSets, WholeSetHasItsDigest) {
    const auto pixels = rendered(protocol(glyphs(), GetParam().seed, sequence_count), glyphs(),
                                 frame_major({}, sequence_count), 2);
    Sha256 file;
    const auto header = npy_header({20, sequence_count, 64, 64}, DType::u8);
    file.add(header.data(), header.size());
    file.add(pixels.data(), pixels.size());
    EXPECT_EQ(file.hex(), digest("uint8_npy_sha256"));
}

INSTANTIATE_TEST_SUITE_P(All, PublishedSets,
                         testing::Values(Published{"mnist", 0}, Published{"mnist", 1}, Published{"fmnist", 0},
                                         Published{"fmnist", 1}));

/// The published files hold float32: once is enough, the pixels are the same.
TEST(PublishedFile, Float32HasItsDigest) {
    const auto& glyphs = shipped_glyphs("fmnist");
    const auto pixels =
        rendered(protocol(glyphs, 0, sequence_count), glyphs, frame_major({}, sequence_count), 2);
    Sha256 file;
    const auto header = npy_header({20, sequence_count, 64, 64}, DType::f32);
    file.add(header.data(), header.size());
    std::vector<float> block(1 << 16);
    for (std::size_t at = 0; at < pixels.size(); at += block.size()) {
        const auto n = std::min(block.size(), pixels.size() - at);
        std::copy_n(pixels.begin() + static_cast<std::ptrdiff_t>(at), n, block.begin());
        file.add(block.data(), n * sizeof(float));
    }
    const auto digests = read_json(test::reference("moving_glyphs/digests.json"));
    EXPECT_EQ(file.hex(), digests.at("fmnist_seed0").at("float32_npy_sha256").get<std::string>());
}

/// Two glyphs of 4x3 with dark rows: one bright, one dim.
GlyphSet tiny_glyphs() {
    GlyphSet set{2, 4, 3, {}};
    set.pixels = {0,  0,  0,  200, 210, 220, 0,  230, 0,  0,  0,  0,  //
                  10, 20, 30, 0,   255, 0,   40, 50,  60, 70, 80, 90};
    return set;
}

TEST(MovingGlyphs, OverlayIsTheMaximum) {
    const auto glyphs = tiny_glyphs();
    const MovingGlyphOptions options{.frames = 1, .canvas = 6};
    const MovingGlyphPlan plan{{{0, {{1, 2}}}, {1, {{2, 2}}}}, 0};
    std::vector<std::uint8_t> out(36, 99);
    render_sequence(plan, options, glyphs, out);
    const std::vector<std::uint8_t> expected{0, 0, 0,   0,   0,   0,  //
                                             0, 0, 0,   0,   0,   0,  //
                                             0, 0, 200, 210, 220, 0,  //
                                             0, 0, 0,   255, 0,   0,  //
                                             0, 0, 40,  50,  60,  0,  //
                                             0, 0, 70,  80,  90,  0};
    EXPECT_EQ(out, expected);
}

TEST(MovingGlyphs, EveryGlyphWidthIsDrawnWhole) {
    for (const std::int64_t width : {1, 15, 16, 17, 28, 31, 32, 33, 48}) {
        GlyphSet glyphs{1, 2, width, {}};
        glyphs.pixels.resize(static_cast<std::size_t>(2 * width));
        std::iota(glyphs.pixels.begin(), glyphs.pixels.end(), 1);
        const MovingGlyphOptions options{.frames = 1, .canvas = 50};
        std::vector<std::uint8_t> out(2500);
        render_sequence({{{0, {{48, static_cast<std::int16_t>(50 - width)}}}}, 0}, options, glyphs, out);
        std::vector<std::uint8_t> expected(2500);
        for (std::int64_t i = 0; i < 2 * width; ++i) {
            expected[static_cast<std::size_t>((48 + i / width) * 50 + 50 - width + i % width)] =
                glyphs.pixels[i];
        }
        EXPECT_EQ(out, expected) << width;
    }
}

TEST(MovingGlyphs, ThreadsAndLayoutsGiveTheSamePixels) {
    const auto& glyphs = shipped_glyphs("mnist");
    const auto plans = protocol(glyphs, 3, 7);
    const auto one = rendered(plans, glyphs, sequence_major({}));
    EXPECT_EQ(rendered(plans, glyphs, sequence_major({}), 3), one);
    EXPECT_EQ(rendered(plans, glyphs, sequence_major({}), 64), one);
    const auto by_frame = rendered(plans, glyphs, frame_major({}, 7), 2);
    for (std::size_t n = 0; n < 7; ++n)
        for (std::size_t t = 0; t < 20; ++t) {
            ASSERT_TRUE(std::equal(one.begin() + (n * 20 + t) * 4096, one.begin() + (n * 20 + t + 1) * 4096,
                                   by_frame.begin() + (t * 7 + n) * 4096));
        }
    std::vector<std::uint8_t> small(100);
    EXPECT_THAT(error_of([&] { render_sequences(plans, {}, glyphs, sequence_major({}), 1, small); }),
                HasSubstr("the buffer has 100"));
}

/// What the reference's get_random_trajectory gives: uniform starts and directions, `step` of the free way a
/// frame, a stop and a turn at the edges.
TEST(TrainingSequences, MoveAsTheReferenceSays) {
    const auto& glyphs = shipped_glyphs("mnist");
    const MovingGlyphOptions options;
    constexpr int sequences = 4000;
    constexpr double way = 36;
    double start_sum = 0;
    double start_squares = 0;
    std::array<int, 8> octants{};
    std::array<int, 6> glyph_sixths{};
    int at_edge = 0;
    int corners = 0;
    for (int i = 0; i < sequences; ++i) {
        const auto plan = training_plan(1, 0, i, options, glyphs);
        ASSERT_EQ(plan.paths.size(), 2U);
        for (const auto& path : plan.paths) {
            ++glyph_sixths.at(static_cast<std::size_t>(path.glyph / 10'000));
            ASSERT_EQ(path.corners.size(), 20U);
            for (const auto c : path.corners) {
                ASSERT_TRUE(c.x >= 0 && c.x <= way && c.y >= 0 && c.y <= way);
                at_edge += c.x == 0 || c.x == way;
                ++corners;
            }
            for (std::size_t t = 1; t < 20; ++t) {
                const double dx = path.corners[t].x - path.corners[t - 1].x;
                const double dy = path.corners[t].y - path.corners[t - 1].y;
                ASSERT_LE(std::hypot(dx, dy), 0.1 * way + 1.5);
            }
            const auto& a = path.corners[9];
            const auto& b = path.corners[10];
            start_sum += a.x;
            start_squares += double{1} * a.x * a.x;
            const double angle = std::atan2(b.y - a.y, b.x - a.x) + std::numbers::pi;
            ++octants.at(static_cast<std::size_t>(angle / (2 * std::numbers::pi) * 8) % 8);
        }
    }
    // Without edges a place would be uniform, mean 18, deviation 10.4; 20 steps with stops keep it near.
    const double count = 2.0 * sequences;
    EXPECT_NEAR(start_sum / count, 17.5, 0.6);
    EXPECT_NEAR(std::sqrt(start_squares / count - std::pow(start_sum / count, 2)), 10.4, 1.2);
    for (const auto n : octants) EXPECT_NEAR(n / count, 0.125, 0.03);
    for (const auto n : glyph_sixths) EXPECT_NEAR(n / count, 1.0 / 6, 0.02);
    EXPECT_GT(at_edge, corners / 50);
    EXPECT_LT(at_edge, corners / 5);
}

/// Training draws from the distribution of the test sets: the same statistics over both.
TEST(TrainingSequences, AreDistributedAsTheTestSets) {
    const auto& glyphs = shipped_glyphs("mnist");
    const MovingGlyphOptions options;
    constexpr int sequences = 5000;
    const auto statistics = [&](const std::vector<MovingGlyphPlan>& plans) {
        std::array<double, 3> mean{};  // place, step across, part of the places at an edge
        double n = 0;
        for (const auto& plan : plans)
            for (const auto& path : plan.paths)
                for (std::size_t t = 1; t < 20; ++t) {
                    mean[0] += path.corners[t].y;
                    mean[1] += std::abs(path.corners[t].x - path.corners[t - 1].x);
                    mean[2] += path.corners[t].x == 0 || path.corners[t].x == 36;
                    ++n;
                }
        for (auto& value : mean) value /= n;
        return mean;
    };
    std::vector<MovingGlyphPlan> ours;
    for (int i = 0; i < sequences; ++i) ours.push_back(training_plan(5, 2, i, options, glyphs));
    const auto training = statistics(ours);
    const auto published = statistics(protocol(glyphs, 0, sequences));
    EXPECT_NEAR(training[0], published[0], 0.35);
    EXPECT_NEAR(training[1], published[1], 0.05);
    EXPECT_NEAR(training[2], published[2], 0.01);
}

TEST(TrainingSequences, DependOnSeedEpochAndIndexAlone) {
    const auto& glyphs = shipped_glyphs("mnist");
    const MovingGlyphOptions options;
    const auto key = [&](const MovingGlyphPlan& plan) {
        return fmt::format("{} {} {} {}", plan.paths[0].glyph, plan.paths[1].glyph,
                           plan.paths[0].corners[0].x, plan.paths[1].corners[0].y);
    };
    EXPECT_EQ(key(training_plan(1, 2, 3, options, glyphs)), key(training_plan(1, 2, 3, options, glyphs)));
    std::set<std::string> seen;
    for (const std::uint64_t seed : {0, 1, 2})
        for (std::int64_t epoch = 0; epoch < 3; ++epoch)
            for (std::int64_t i = 0; i < 20; ++i)
                seen.insert(key(training_plan(seed, epoch, i, options, glyphs)));
    for (std::int64_t i = 0; i < 20; ++i) seen.insert(key(validation_plan(0, i, options, glyphs)));
    EXPECT_EQ(seen.size(), 3U * 3 * 20 + 20);
}

TEST(MovingGlyphs, NoiseHasItsDeviationAndKeepsThePixelsRange) {
    const auto glyphs = tiny_glyphs();
    const MovingGlyphOptions options{.frames = 3, .canvas = 200, .digits = 0, .noise = 0.1};
    const auto plan = plan_sequence(1, 2, options, glyphs);
    std::vector<std::uint8_t> out(3 * 200 * 200);
    render_sequence(plan, options, glyphs, out);
    // Half of the noise is below black and clipped: the mean of the rest is deviation / sqrt(2 pi).
    const double mean = std::accumulate(out.begin(), out.end(), 0.0) / static_cast<double>(out.size());
    EXPECT_NEAR(mean, 25.5 / std::sqrt(2 * std::numbers::pi), 0.2);
    EXPECT_NE(std::vector(out.begin(), out.begin() + 40000),
              std::vector(out.begin() + 40000, out.begin() + 80000));
    std::vector<std::uint8_t> again(out.size());
    render_sequence(plan, options, glyphs, again);
    EXPECT_EQ(again, out);
}

TEST(MovingGlyphs, ImpossibleOptionsAreRefused) {
    const auto glyphs = tiny_glyphs();
    const auto message = [&](const MovingGlyphOptions& options) {
        return error_of([&] { check_moving_glyphs(options, glyphs, "a.json: dataset"); });
    };
    EXPECT_THAT(message({.canvas = 3}), HasSubstr("a.json: dataset: a canvas of 3 pixels, expected 4"));
    EXPECT_THAT(message({.frames = 0}), HasSubstr("0 frames"));
    EXPECT_THAT(message({.digits = -1}), HasSubstr("-1 digits"));
    EXPECT_THAT(message({.step = 1.5}), HasSubstr("step of 1.5"));
    EXPECT_THAT(message({.step = std::nan("")}), HasSubstr("step of nan"));
    EXPECT_THAT(message({.noise = -0.1}), HasSubstr("noise of -0.1"));
    EXPECT_NO_THROW(check_moving_glyphs({}, glyphs, ""));
}

}  // namespace
}  // namespace stl
