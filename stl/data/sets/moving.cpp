#include "stl/data/sets/moving.h"

#include <algorithm>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/locate.h"
#include "stl/core/memory.h"
#include "stl/data/registry.h"
#include "stl/data/sets/stored.h"
#include "stl/formats/layout.h"

namespace stl {
namespace {

/// Keeps validation's random numbers apart from those of any run's training.
constexpr std::uint64_t validation_seed = 0x76616c6964617465ULL;

MovingOptions own_keys(const DatasetOptions& options) {
    const auto& kind = moving_kind(options.name);
    if (kind.noisy) return own_options<NoisyOptions>(options);
    if (kind.over_cifar) return own_options<CifarOptions>(options);
    return own_options<GrayOptions>(options);
}

MovingGlyphOptions moving_options(const DatasetOptions& options, const MovingOptions& own, Split split) {
    const bool tested = split == Split::test && !own.test_noise_type.empty();
    return {.frames = options.total_frames(),
            .canvas = own.canvas,
            .digits = own.digits,
            .step = own.step,
            .noise = own.noise,
            .input_noise = {.type = noise_type(tested ? own.test_noise_type : own.noise_type, options.where),
                            .frames = options.input_frames,
                            .sigma = own.sigma,
                            .mis_prob = own.mis_prob}};
}

MovingScene moving_scene(const DatasetOptions& options, Split split) {
    const auto own = own_keys(options);
    return {moving_kind(options.name),
            moving_options(options, own, split),
            {own.glyphs, own.backgrounds},
            options.where};
}

class MovingDataset : public Dataset {
  public:
    MovingDataset(const DatasetOptions& options, Split split) : scene_(moving_scene(options, split)) {}

    SequenceShape shape() const override { return scene_.shape(); }
    bool generated() const override { return true; }
    std::vector<fs::path> files() const override { return scene_.files(); }

  protected:
    void render(const MovingGlyphPlan& plan, std::span<float> out) const {
        std::vector<std::uint8_t> bytes(out.size());
        scene_.render({&plan, 1}, 1, bytes);
        to_unit_range(bytes, out.data());
    }
    std::string noise_text() const {
        const auto type = scene_.options().input_noise.type;
        return type == InputNoise::Type::none ? "" : fmt::format(", {} noise", noise_type_name(type));
    }

    MovingScene scene_;
};

class TrainingSequences : public MovingDataset, public MadeFromGlyphs {
  public:
    TrainingSequences(const DatasetOptions& options, std::uint64_t seed)
        : MovingDataset(options, Split::train),
          name_(options.name),
          seed_(seed),
          size_(options.train_sequences.value_or(usual_sequences(Split::train))) {}

    std::int64_t size() const override { return size_; }
    const MovingScene& scene() const override { return scene_; }
    std::uint64_t seed() const override { return seed_; }
    void fetch(std::int64_t epoch, std::int64_t index, std::span<float> out) const override {
        render(training_plan(seed_, epoch, index, scene_.options(), scene_.glyphs()), out);
    }
    std::string describe() const override {
        return fmt::format("{} training set, {} new sequences every epoch from seed {}, {}{}", name_, size_,
                           seed_, scene_.sources_text(), noise_text());
    }

  private:
    std::string name_;
    std::uint64_t seed_;
    std::int64_t size_;
};

/// Before the plans of so many sequences are made.
void require_room_for_plans(std::int64_t sequences, const MovingGlyphOptions& moving,
                            const std::string& where) {
    const auto path = sizeof(GlyphPath) + static_cast<double>(moving.frames) * sizeof(GlyphPath::Corner);
    const auto each = sizeof(MovingGlyphPlan) + static_cast<double>(moving.digits) * path;
    constexpr double most = 1e18;
    require_memory(static_cast<std::uint64_t>(std::min(most, each * static_cast<double>(sequences))),
                   fmt::format("{}: {} sequences", where, sequences));
}

/// Sequences that are the same in every epoch: their plans are made once.
class FixedSequences : public MovingDataset {
  public:
    FixedSequences(const DatasetOptions& options, Split split) : MovingDataset(options, split) {
        const auto& moving = scene_.options();
        const auto& glyphs = scene_.glyphs();
        if (split == Split::validation) {
            const auto size = options.val_sequences.value_or(usual_sequences(split));
            require_room_for_plans(size, moving, options.where + ".val_sequences");
            for (std::int64_t i = 0; i < size; ++i) plans_.push_back(validation_plan(0, i, moving, glyphs));
            what_ = options.name + " validation set, held out";
        } else {
            const auto size = options.test_sequences.value_or(usual_sequences(split));
            require_room_for_plans(size, moving, options.where + ".test_sequences");
            ProtocolPlanner planner(0, moving, glyphs);
            for (std::int64_t i = 0; i < size; ++i) plans_.push_back(planner.next());
            what_ = options.name + " test set by OpenSTL's protocol, seed 0";
        }
    }

    std::int64_t size() const override { return std::ssize(plans_); }
    void fetch(std::int64_t /*epoch*/, std::int64_t index, std::span<float> out) const override {
        render(plans_.at(static_cast<std::size_t>(index)), out);
    }
    std::string describe() const override {
        return fmt::format("{}, {} sequences, {}{}", what_, size(), scene_.sources_text(), noise_text());
    }

  private:
    std::vector<MovingGlyphPlan> plans_;
    std::string what_;
};

/// The published test file, where it is there and is what these options describe.
std::string published_test_file(const DatasetOptions& options) {
    const MovingGlyphOptions published;
    const auto own = own_keys(options);
    const auto moving = moving_options(options, own, Split::test);
    if (moving.canvas != published.canvas || moving.digits != published.digits ||
        moving.step != published.step || moving.noise != published.noise ||
        moving.input_noise.type != published.input_noise.type || moving.frames > published.frames ||
        !own.glyphs.empty() || !own.backgrounds.empty()) {
        return "";
    }
    const auto file = locate_dataset(moving_kind(options.name).test_file);
    return file ? file->string() : "";
}

std::unique_ptr<Dataset> make_test(const DatasetOptions& options) {
    auto path = own_keys(options).test_path;
    if (path.empty()) path = published_test_file(options);
    if (path.empty()) return std::make_unique<FixedSequences>(options, Split::test);
    auto data = open_stored(options, path, Split::test);
    auto expected = find_dataset(options.name, options.where).frame(options);
    expected.frames = options.total_frames();
    if (data->shape() != expected) {
        fail("{}: {}: {}, expected {}", options.where, path, to_string(data->shape()), to_string(expected));
    }
    return data;
}

}  // namespace

namespace {

SequenceShape canvas_frame(const DatasetOptions& options, std::int64_t channels) {
    const auto canvas = own_keys(options).canvas;
    if (canvas < 1) fail("{}.canvas: {}, expected at least 1", options.where, canvas);
    return {1, channels, canvas, canvas};
}

}  // namespace

Rule noise_rule(bool or_nothing) {
    return {"none, perceptual, missing, dynamic", [or_nothing](const Json& name, const std::string& where) {
                const auto& text = name.get_ref<const std::string&>();
                if (!or_nothing || !text.empty()) noise_type(text, where);
            }};
}

SequenceShape moving_frame(const DatasetOptions& options) {
    return canvas_frame(options, 1);
}

SequenceShape cifar_frame(const DatasetOptions& options) {
    return canvas_frame(options, CifarPictures::channels);
}

std::unique_ptr<Dataset> make_moving(const DatasetOptions& options, Split split, std::uint64_t seed) {
    switch (split) {
        case Split::train:
            return std::make_unique<TrainingSequences>(options, seed);
        case Split::validation:
            return std::make_unique<FixedSequences>(options, split);
        case Split::test:
            break;
    }
    return make_test(options);
}

MovingGlyphPlan training_plan(std::uint64_t seed, std::int64_t epoch, std::int64_t index,
                              const MovingGlyphOptions& options, const GlyphSet& glyphs) {
    const auto number = static_cast<std::uint64_t>(epoch) << 32 | static_cast<std::uint64_t>(index);
    return plan_sequence(seed, number, options, glyphs);
}

MovingGlyphPlan validation_plan(std::uint64_t seed, std::int64_t index, const MovingGlyphOptions& options,
                                const GlyphSet& glyphs) {
    return plan_sequence(validation_seed ^ seed, static_cast<std::uint64_t>(index), options, glyphs);
}

std::int64_t usual_sequences(Split split) {
    return split == Split::validation ? 1'000 : 10'000;
}

}  // namespace stl
