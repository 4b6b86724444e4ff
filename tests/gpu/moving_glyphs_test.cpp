// Random numbers against published vectors; the device's moving glyphs against the host's generator, by the
// emulated kernel, and a GPU's against that one where there is a GPU.
#include "stl/gpu/moving_glyphs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "stl/glyphs/moving_glyphs.h"
#include "stl/train/batches.h"
#include "tests/gpu/subject.h"

namespace stl {
namespace {

TEST(Philox, GivesThePublishedNumbers) {
    // Random123's known-answer vectors for philox4x32-10.
    const auto expect = [](std::uint64_t key, gpu::PhiloxBlock counter, gpu::PhiloxBlock expected) {
        const auto found = gpu::philox(key, counter);
        for (int i = 0; i < 4; ++i) EXPECT_EQ(found.v[i], expected.v[i]) << i;
    };
    expect(0, {{0, 0, 0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
    expect(~0ULL, {{~0U, ~0U, ~0U, ~0U}}, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
    expect(0x299f31d0a4093822ULL, {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
           {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

/// Glyphs that can be told from each other: each of one gray, brighter with its number.
GlyphSet gray_glyphs(std::int64_t count, std::int64_t height = 28, std::int64_t width = 28) {
    GlyphSet glyphs{.count = count, .height = height, .width = width, .pixels = {}};
    for (std::int64_t i = 0; i < count; ++i)
        glyphs.pixels.insert(glyphs.pixels.end(), static_cast<std::size_t>(height * width),
                             static_cast<std::uint8_t>(10 + i));
    return glyphs;
}

gpu::GlyphTask task_for(const GlyphSet& glyphs, const MovingGlyphOptions& options) {
    gpu::GlyphTask t;
    t.glyphs = glyphs.pixels.data();
    t.count = glyphs.count;
    t.height = static_cast<int>(glyphs.height);
    t.width = static_cast<int>(glyphs.width);
    t.frames = static_cast<int>(options.frames);
    t.canvas = static_cast<int>(options.canvas);
    t.digits = static_cast<int>(options.digits);
    t.step = options.step;
    t.seed = 7;
    return t;
}

TEST(DeviceGlyphs, WalkAsTheHostsDo) {
    // The host's draws, in its order, put through the device's law of motion.
    const auto glyphs = gray_glyphs(50, 28, 20);
    const MovingGlyphOptions options{.frames = 40, .canvas = 64, .digits = 3, .step = 0.17};
    const auto t = task_for(glyphs, options);
    for (std::uint64_t index = 0; index < 200; ++index) {
        const auto plan = plan_sequence(3, index, options, glyphs);
        StreamRandom random(3, index);
        for (const auto& path : plan.paths) {
            const double x = random.uniform(), y = random.uniform();
            const double direction = random.uniform() * 2 * std::numbers::pi;
            const auto glyph = static_cast<gpu::Index>(random.below(50));
            const gpu::GlyphStart start{x, y, direction, glyph};
            gpu::GlyphWalk walk(start);
            for (const auto& corner : path.corners) {
                walk.advance(options.step);
                const auto found = gpu::glyph_corner(t, start, walk);
                ASSERT_EQ(found.y, corner.y);
                ASSERT_EQ(found.x, corner.x);
                ASSERT_EQ(found.glyph, path.glyph);
            }
        }
    }
}

TEST(DeviceGlyphs, PixelsAreTheHostsForTheSamePlan) {
    auto glyphs = gray_glyphs(5);
    for (std::size_t i = 0; i < glyphs.pixels.size(); ++i)
        glyphs.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
    const MovingGlyphOptions options{.frames = 6, .canvas = 50, .digits = 3};
    auto t = task_for(glyphs, options);
    std::vector<float> out(static_cast<std::size_t>(2 * 6 * 50 * 50));
    t.batch = 2;
    t.first = (std::uint64_t{5} << 32) + 9;
    t.out = out.data();
    gpu::emulated_kernels().moving_glyphs(t, nullptr);
    for (int n = 0; n < t.batch; ++n) {
        MovingGlyphPlan plan;
        for (int digit = 0; digit < 3; ++digit) {
            GlyphPath path;
            for (int frame = 0; frame < 6; ++frame) {
                const auto corner =
                    gpu::glyph_corner(t, t.first + static_cast<std::uint64_t>(n), digit, frame);
                path.glyph = corner.glyph;
                path.corners.push_back(
                    {static_cast<std::int16_t>(corner.y), static_cast<std::int16_t>(corner.x)});
            }
            plan.paths.push_back(path);
        }
        std::vector<std::uint8_t> expected(6 * 50 * 50);
        render_sequence(plan, options, glyphs, expected);
        for (std::size_t i = 0; i < expected.size(); ++i)
            ASSERT_EQ(out[static_cast<std::size_t>(n) * expected.size() + i],
                      static_cast<float>(expected[i]) / 255.0F);
    }
}

/// What of a sequence's first frames is compared between the two generators.
struct Samples {
    std::map<std::string, std::vector<double>> values;
};

constexpr int sampled = 20000;

Samples of_device(const GlyphSet& glyphs, const MovingGlyphOptions& options) {
    const auto t = task_for(glyphs, options);
    Samples s;
    for (std::uint64_t n = 0; n < sampled; ++n) {
        const auto first = gpu::glyph_corner(t, n, 0, 0), second = gpu::glyph_corner(t, n, 1, 0),
                   last = gpu::glyph_corner(t, n, 0, static_cast<int>(options.frames) - 1);
        s.values["first y"].push_back(first.y);
        s.values["first x"].push_back(first.x);
        s.values["other's x"].push_back(second.x);
        s.values["last y"].push_back(last.y);
        s.values["last x"].push_back(last.x);
        s.values["moved x"].push_back(last.x - first.x);
        s.values["glyph"].push_back(static_cast<double>(first.glyph));
    }
    return s;
}

Samples of_host(const GlyphSet& glyphs, const MovingGlyphOptions& options) {
    Samples s;
    for (std::uint64_t n = 0; n < sampled; ++n) {
        const auto plan = plan_sequence(7, n, options, glyphs);
        const auto& path = plan.paths[0];
        s.values["first y"].push_back(path.corners.front().y);
        s.values["first x"].push_back(path.corners.front().x);
        s.values["other's x"].push_back(plan.paths[1].corners.front().x);
        s.values["last y"].push_back(path.corners.back().y);
        s.values["last x"].push_back(path.corners.back().x);
        s.values["moved x"].push_back(path.corners.back().x - path.corners.front().x);
        s.values["glyph"].push_back(static_cast<double>(path.glyph));
    }
    return s;
}

/// Kolmogorov and Smirnov's: the largest distance of two empirical distributions.
double distance(std::vector<double> a, std::vector<double> b) {
    std::ranges::sort(a);
    std::ranges::sort(b);
    double most = 0;
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
        const double at = std::min(a[i], b[j]);
        while (i < a.size() && a[i] <= at) ++i;
        while (j < b.size() && b[j] <= at) ++j;
        most = std::max(most, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                       static_cast<double>(j) / static_cast<double>(b.size())));
    }
    return most;
}

TEST(DeviceGlyphs, HaveTheHostsDistribution) {
    const auto glyphs = gray_glyphs(200);
    const MovingGlyphOptions options{.frames = 20};
    const auto device = of_device(glyphs, options), host = of_host(glyphs, options);
    // Two samples of this size from one distribution are further apart than this once in 10,000 times.
    const double bound = std::sqrt(-0.5 * std::log(0.5e-4)) * std::sqrt(2.0 / sampled);
    for (const auto& [what, values] : device.values)
        EXPECT_LT(distance(values, host.values.at(what)), bound) << what;
}

TEST(DeviceGlyphs, DrawDirectionsAndPlacesUniformlyAndApart) {
    gpu::GlyphTask t;
    t.count = 10;
    constexpr int bins = 16;
    std::map<std::string, std::vector<int>> counts;
    double product = 0;
    for (std::uint64_t n = 0; n < sampled; ++n) {
        t.seed = 11;
        const auto start = gpu::glyph_start(t, n << 20, 0);
        for (const auto& [what, value] : {std::pair<std::string, double>{"x", start.x},
                                          {"y", start.y},
                                          {"direction", start.direction / (2 * std::numbers::pi)}}) {
            ASSERT_GE(value, 0.0);
            ASSERT_LT(value, 1.0);
            auto& count = counts[what];
            count.resize(bins);
            ++count[static_cast<std::size_t>(value * bins)];
        }
        product += (start.x - 0.5) * (start.y - 0.5);
    }
    for (const auto& [what, count] : counts) {
        double chi = 0;
        const double expected = static_cast<double>(sampled) / bins;
        for (const int c : count) chi += (c - expected) * (c - expected) / expected;
        EXPECT_LT(chi, 44.3) << what;  // 15 degrees of freedom, one in 10,000
    }
    EXPECT_LT(std::abs(product / sampled), 4 / 12.0 / std::sqrt(static_cast<double>(sampled)));
}

TEST(DeviceGlyphs, ASequenceIsTheSameInAnyBatchAndAnotherForAnotherSeed) {
    const auto glyphs = gray_glyphs(5);
    const MovingGlyphOptions options{.frames = 3, .canvas = 40};
    auto t = task_for(glyphs, options);
    const std::size_t sequence = 3 * 40 * 40;
    std::vector<float> four(4 * sequence), one(sequence), other(sequence);
    t.batch = 4;
    t.first = 20;
    t.out = four.data();
    gpu::emulated_kernels().moving_glyphs(t, nullptr);
    t.batch = 1;
    t.first = 22;
    t.out = one.data();
    gpu::emulated_kernels().moving_glyphs(t, nullptr);
    t.seed = 8;
    t.out = other.data();
    gpu::emulated_kernels().moving_glyphs(t, nullptr);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), four.begin() + 2 * sequence));
    EXPECT_NE(one, other);
}

class DeviceBatches : public test::KernelTest {};

TEST_P(DeviceBatches, AreThoseOfTheEmulatedKernelInOrderAndAfterAStop) {
    const auto options = DatasetOptions::from_json(Json{{"name", "mmnist"},
                                                        {"train_sequences", 7},
                                                        {"canvas", 32},
                                                        {"input_frames", 2},
                                                        {"output_frames", 3}},
                                                   "test");
    const auto data = make_dataset(options, Split::train, 5);
    BatchPlan plan{.batch_size = 3, .input_frames = 2, .device = device, .kernels = &kernels()};
    const auto whole = open_batches(*data, plan);
    ASSERT_TRUE(whole->on_device());
    std::vector<TrainBatch> batches;
    for (int i = 0; i < 5; ++i) batches.push_back(whole->next());
    EXPECT_EQ(batches[0].input.sizes(), torch::IntArrayRef({3, 2, 1, 32, 32}));
    EXPECT_EQ(batches[0].target.sizes(), torch::IntArrayRef({3, 3, 1, 32, 32}));
    EXPECT_GT(batches[0].target.max().item<float>(), 0.5F);
    EXPECT_LE(batches[0].target.max().item<float>(), 1.0F);
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(torch::equal(batches[i].target, batches[i + 1].target));

    // Two batches an epoch: the fourth is the second one of epoch 1.
    EXPECT_FALSE(torch::equal(batches[3].target, batches[1].target));
    plan.first_epoch = 1;
    plan.first_batch = 1;
    EXPECT_TRUE(torch::equal(open_batches(*data, plan)->next().target, batches[3].target));

    plan.device = torch::kCPU;
    plan.kernels = &gpu::emulated_kernels();
    EXPECT_TRUE(torch::equal(open_batches(*data, plan)->next().target, batches[3].target.cpu()));
}

TEST_P(DeviceBatches, AreLeftToTheHostWhereTheKernelDoesNotMakeThem) {
    const auto source = [&](Json changes) {
        Json json = {{"name", "mmnist"}, {"train_sequences", 4}};
        json.update(changes);
        const auto data = make_dataset(DatasetOptions::from_json(json, "test"), Split::train, 5);
        const auto batches = open_batches(
            *data, {.batch_size = 2, .input_frames = 10, .device = device, .kernels = &kernels()});
        batches->next();
        return batches->on_device();
    };
    EXPECT_TRUE(source({{"step", 0.2}}));
    EXPECT_FALSE(source({{"noise", 0.1}}));
    EXPECT_FALSE(source({{"digits", 300}}));
    EXPECT_FALSE(source({{"name", "noisymmnist"}}));
}

INSTANTIATE_TEST_SUITE_P(devices, DeviceBatches, testing::Values("cpu", "cuda"), test::device_name);

}  // namespace
}  // namespace stl
