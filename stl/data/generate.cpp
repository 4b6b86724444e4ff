#include "stl/data/generate.h"

#include <algorithm>

#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/data/sets/moving.h"
#include "stl/formats/layout.h"
#include "stl/formats/sequence_formats.h"

namespace stl {
namespace {

constexpr double frames_per_second = 10;
constexpr std::int64_t piece_bytes = 32 << 20;

void add_noise_settings(const InputNoise& noise, Json& settings) {
    if (noise.type == InputNoise::Type::none) return;
    settings["noise_type"] = noise_type_name(noise.type);
    settings["noisy_frames"] = noise.frames;
    if (noise.type == InputNoise::Type::dynamic) settings["sigma"] = noise.sigma;
    if (noise.type == InputNoise::Type::missing) settings["mis_prob"] = noise.mis_prob;
}

Json settings_of(const GenerateOptions& o, const MovingScene& scene) {
    const auto& glyphs = scene.glyph_path();
    Json settings = {{"source", scene.kind().title},
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
    add_noise_settings(o.moving.input_noise, settings);
    if (const auto* pictures = scene.pictures()) {
        settings["backgrounds"] = pictures->path().filename().string();
        settings["background_count"] = pictures->count();
    }
    settings["stl"] = version_and_revision();
    return settings;
}

/// Gives plans one after the other.
class Planner {
  public:
    Planner(const GenerateOptions& options, const MovingScene& scene)
        : options_(options), scene_(scene), protocol_(options.seed, scene.options(), scene.glyphs()) {}

    MovingGlyphPlan next() {
        if (options_.protocol == Protocol::openstl) return protocol_.next();
        const auto index = index_++;
        return options_.split == Split::validation
                   ? validation_plan(options_.seed, index, scene_.options(), scene_.glyphs())
                   : training_plan(options_.seed, 0, index, scene_.options(), scene_.glyphs());
    }

  private:
    const GenerateOptions& options_;
    const MovingScene& scene_;
    ProtocolPlanner protocol_;
    std::int64_t index_ = 0;
};

/// The published files' own. Float colours are [N,T,C,H,W] in [0,1]: nothing would tell [T,N,H,W,3] of them.
std::string layout_of(bool layouts, std::int64_t channels, DType dtype) {
    if (!layouts || (channels > 1 && dtype != DType::u8)) return "NTCHW";
    return channels > 1 ? "TNHWC" : "TNHW";
}

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

Json generate(const GenerateOptions& options, const DataFile& output, Reporter& reporter,
              const StopRequested& stop) {
    const auto* format = format_of_name(output.path);
    refuse_existing(output.path, options.force);
    const MovingScene scene(moving_kind(options.dataset), options.moving, options.sources,
                            "generate " + options.dataset);
    const auto settings = settings_of(options, scene);
    const auto shape = scene.shape();
    const auto layout = layout_of(format != nullptr && format->layouts, shape.channels, options.dtype);
    const auto writer = create_sequences(output, options.sequences, shape,
                                         {.dtype = options.dtype,
                                          .fps = frames_per_second,
                                          .attributes = settings,
                                          .compression = options.compression,
                                          .layout = layout,
                                          .force = options.force});
    const auto piece = std::clamp<std::int64_t>(piece_bytes / shape.elements(), 1, options.sequences);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(piece * shape.elements()));
    std::vector<float> floats;
    std::vector<MovingGlyphPlan> plans;
    Planner planner(options, scene);
    for (std::int64_t done = 0; done < options.sequences; done += std::ssize(plans)) {
        if (stop && stop())
            throw Interrupted(fmt::format("{}: stopped, nothing was written", output.path.string()));
        reporter.progress({done, options.sequences, "sequences", ""});
        plans.clear();
        for (auto n = std::min(piece, options.sequences - done); n > 0; --n) plans.push_back(planner.next());
        const auto room = std::span(pixels).first(plans.size() * static_cast<std::size_t>(shape.elements()));
        scene.render(plans, options.threads, room);
        append(*writer, options, layout == "NTCHW", room, floats);
    }
    writer->finish();
    reporter.progress({options.sequences, options.sequences, "sequences", ""});
    reporter.progress_end();
    return settings;
}

}  // namespace stl
