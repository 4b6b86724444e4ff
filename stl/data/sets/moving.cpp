#include "stl/data/sets/moving.h"

#include "stl/core/error.h"
#include "stl/data/layout.h"
#include "stl/data/locate.h"
#include "stl/data/sets/stored.h"

namespace stl {
namespace {

/// Keeps validation's random numbers apart from those of any run's training.
constexpr std::uint64_t kValidationSeed = 0x76616c6964617465ULL;

MovingGlyphOptions moving_options(const DatasetOptions& options) {
    return {options.total_frames(), options.own.at("canvas"), options.own.at("digits"),
            options.own.at("step"), options.own.at("noise")};
}

class MovingDataset : public Dataset {
  public:
    explicit MovingDataset(const DatasetOptions& options)
        : path_(glyph_path(options.name, options.own.at("glyphs"))),
          glyphs_(load_glyphs(path_)),
          moving_(moving_options(options)) {
        check_moving_glyphs(moving_, glyphs_, options.where);
    }

    SequenceShape shape() const override { return {moving_.frames, 1, moving_.canvas, moving_.canvas}; }
    bool generated() const override { return true; }

  protected:
    void render(const MovingGlyphPlan& plan, std::span<float> out) const {
        std::vector<std::uint8_t> bytes(out.size());
        render_sequence(plan, moving_, glyphs_, bytes);
        to_unit_range(bytes, out.data());
    }
    std::string glyphs_text() const { return fmt::format("{} glyphs of {}", glyphs_.count, path_.string()); }

    fs::path path_;
    GlyphSet glyphs_;
    MovingGlyphOptions moving_;
};

class TrainingSequences : public MovingDataset {
  public:
    TrainingSequences(const DatasetOptions& options, std::uint64_t seed)
        : MovingDataset(options),
          name_(options.name),
          seed_(seed),
          size_(options.train_sequences.value_or(usual_sequences(Split::train))) {}

    std::int64_t size() const override { return size_; }
    void fetch(std::int64_t epoch, std::int64_t index, std::span<float> out) const override {
        render(training_plan(seed_, epoch, index, moving_, glyphs_), out);
    }
    std::string describe() const override {
        return fmt::format("{} training set, {} new sequences every epoch from seed {}, {}", name_, size_,
                           seed_, glyphs_text());
    }

  private:
    std::string name_;
    std::uint64_t seed_;
    std::int64_t size_;
};

/// Sequences that are the same in every epoch: their plans are made once.
class FixedSequences : public MovingDataset {
  public:
    FixedSequences(const DatasetOptions& options, Split split) : MovingDataset(options) {
        if (split == Split::validation) {
            const auto size = options.val_sequences.value_or(usual_sequences(split));
            for (std::int64_t i = 0; i < size; ++i) plans_.push_back(validation_plan(0, i, moving_, glyphs_));
            what_ = options.name + " validation set, held out";
        } else {
            const auto size = options.test_sequences.value_or(usual_sequences(split));
            ProtocolPlanner planner(0, moving_, glyphs_);
            for (std::int64_t i = 0; i < size; ++i) plans_.push_back(planner.next());
            what_ = options.name + " test set by OpenSTL's protocol, seed 0";
        }
    }

    std::int64_t size() const override { return std::ssize(plans_); }
    void fetch(std::int64_t /*epoch*/, std::int64_t index, std::span<float> out) const override {
        render(plans_.at(static_cast<std::size_t>(index)), out);
    }
    std::string describe() const override {
        return fmt::format("{}, {} sequences, {}", what_, size(), glyphs_text());
    }

  private:
    std::vector<MovingGlyphPlan> plans_;
    std::string what_;
};

/// The published test file, where it is there and is what these options describe.
std::string published_test_file(const DatasetOptions& options) {
    const MovingGlyphOptions published;
    const auto moving = moving_options(options);
    if (moving.canvas != published.canvas || moving.digits != published.digits ||
        moving.step != published.step || moving.noise != published.noise ||
        moving.frames > published.frames || !options.own.at("glyphs").get<std::string>().empty()) {
        return "";
    }
    const auto file = locate_dataset(options.name == "mfmnist" ? "mfmnist/fmnist_test_seq.npy"
                                                               : "mmnist/mnist_test_seq.npy");
    return file ? file->string() : "";
}

std::unique_ptr<Dataset> make_test(const DatasetOptions& options) {
    std::string path = options.own.at("test_path");
    if (path.empty()) path = published_test_file(options);
    if (path.empty()) return std::make_unique<FixedSequences>(options, Split::test);
    auto data = open_stored(options, path, Split::test);
    auto expected = moving_frame(options);
    expected.frames = options.total_frames();
    if (data->shape() != expected) {
        fail("{}: {}: {}, expected {}", options.where, path, to_string(data->shape()), to_string(expected));
    }
    return data;
}

}  // namespace

Json moving_keys(Fields& fields) {
    const MovingGlyphOptions fallback;
    return {{"digits", fields.get<std::int64_t>("digits", fallback.digits)},
            {"canvas", fields.get<std::int64_t>("canvas", fallback.canvas)},
            {"step", fields.get<double>("step", fallback.step)},
            {"noise", fields.get<double>("noise", fallback.noise)},
            {"glyphs", fields.get<std::string>("glyphs", "")},
            {"test_path", fields.get<std::string>("test_path", "")}};
}

SequenceShape moving_frame(const DatasetOptions& options) {
    const std::int64_t canvas = options.own.at("canvas");
    if (canvas < 1) fail("{}.canvas: {}, expected at least 1", options.where, canvas);
    return {1, 1, canvas, canvas};
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
    return plan_sequence(kValidationSeed ^ seed, static_cast<std::uint64_t>(index), options, glyphs);
}

std::int64_t usual_sequences(Split split) {
    return split == Split::validation ? 1'000 : 10'000;
}

fs::path glyph_path(const std::string& dataset, const std::string& path) {
    return !path.empty() ? fs::path(path) : locate_glyphs(dataset == "mfmnist" ? "fashion-mnist" : "mnist");
}

}  // namespace stl
