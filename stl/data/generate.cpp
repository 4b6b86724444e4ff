#include "stl/data/generate.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/data/layout.h"
#include "stl/data/sets/moving.h"

namespace stl {
namespace {

constexpr double kFramesPerSecond = 10;
constexpr std::int64_t kPieceBytes = 32 << 20;

Json settings_of(const GenerateOptions& o, const fs::path& glyphs) {
    Json settings = {{"source", o.dataset == "mfmnist" ? "Moving Fashion-MNIST" : "Moving MNIST"},
                     {"dataset", o.dataset},
                     {"split", split_name(o.split)},
                     {"protocol", o.protocol == Protocol::openstl ? "openstl" : "stream"},
                     {"seed", o.seed},
                     {"sequences", o.sequences},
                     {"frames", o.moving.frames},
                     {"canvas", o.moving.canvas},
                     {"digits", o.moving.digits},
                     {"step", o.moving.step},
                     {"noise", o.moving.noise},
                     {"glyphs", glyphs.filename().string()}};
    if (fs::is_regular_file(glyphs)) settings["glyphs_sha256"] = sha256_file(glyphs);
    settings["stl"] = version() + " (" + revision() + ")";
    return settings;
}

/// Gives plans one after the other.
class Planner {
  public:
    Planner(const GenerateOptions& options, const GlyphSet& glyphs)
        : options_(options), glyphs_(glyphs), protocol_(options.seed, options.moving, glyphs) {}

    MovingGlyphPlan next() {
        if (options_.protocol == Protocol::openstl) return protocol_.next();
        const auto index = index_++;
        return options_.split == Split::validation
                   ? validation_plan(options_.seed, index, options_.moving, glyphs_)
                   : training_plan(options_.seed, 0, index, options_.moving, glyphs_);
    }

  private:
    const GenerateOptions& options_;
    const GlyphSet& glyphs_;
    ProtocolPlanner protocol_;
    std::int64_t index_ = 0;
};

void append(SequenceWriter& writer, const GenerateOptions& options, bool unit_range,
            std::span<const std::uint8_t> pixels, std::vector<float>& floats) {
    if (options.dtype == DType::u8) return writer.append(pixels);
    floats.resize(pixels.size());
    if (unit_range) {
        to_unit_range(pixels, floats.data());
    } else {
        std::ranges::copy(pixels, floats.begin());
    }
    writer.append(floats);
}

}  // namespace

Json generate(const GenerateOptions& options, const std::string& output, Reporter& reporter,
              const StopRequested& stop) {
    const auto target = split_file_name(output).path;
    const bool npy = lower_case(target.extension().string()) == ".npy";
    refuse_existing(target, options.force);
    const auto source = glyph_path(options.dataset, options.glyphs);
    const auto glyphs = load_glyphs(source);
    check_moving_glyphs(options.moving, glyphs, "generate " + options.dataset);

    const auto settings = settings_of(options, source);
    const SequenceShape shape{options.moving.frames, 1, options.moving.canvas, options.moving.canvas};
    const auto writer = create_sequences(output, options.sequences, shape,
                                         {.dtype = options.dtype,
                                          .fps = kFramesPerSecond,
                                          .attributes = settings,
                                          .compression = options.compression,
                                          .layout = npy ? "TNHW" : "NTCHW",
                                          .force = options.force});
    const auto piece = std::clamp<std::int64_t>(kPieceBytes / shape.elements(), 1, options.sequences);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(piece * shape.elements()));
    std::vector<float> floats;
    std::vector<MovingGlyphPlan> plans;
    Planner planner(options, glyphs);
    for (std::int64_t done = 0; done < options.sequences; done += std::ssize(plans)) {
        if (stop && stop())
            throw Interrupted(fmt::format("{}: stopped, nothing was written", target.string()));
        reporter.progress({done, options.sequences, "sequences", ""});
        plans.clear();
        for (auto n = std::min(piece, options.sequences - done); n > 0; --n) plans.push_back(planner.next());
        const auto room = std::span(pixels).first(plans.size() * static_cast<std::size_t>(shape.elements()));
        render_sequences(plans, options.moving, glyphs, sequence_major(options.moving), options.threads,
                         room);
        append(*writer, options, !npy, room, floats);
    }
    writer->finish();
    reporter.progress({options.sequences, options.sequences, "sequences", ""});
    reporter.progress_end();
    return settings;
}

}  // namespace stl
