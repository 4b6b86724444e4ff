#include "stl/render/panels.h"

#include <algorithm>

#include "stl/core/error.h"

namespace stl {
namespace {

std::int64_t frames_in(std::span<const float> values, const SequenceShape& shape, const std::string& what) {
    const std::int64_t n = shape.frame_elements();
    if (n <= 0 || std::ssize(values) % n != 0) {
        fail("{}: {} values are not a whole number of frames of {}x{}x{}", what, values.size(),
             shape.channels, shape.height, shape.width);
    }
    return std::ssize(values) / n;
}

void check_scores(const std::vector<double>& scores, std::int64_t frames, const std::string& what) {
    if (!scores.empty() && std::ssize(scores) != frames) {
        fail("{}: {} scores for {} frames", what, scores.size(), frames);
    }
}

}  // namespace

std::pair<std::int64_t, std::int64_t> check_panels(std::span<const PanelSequence> sequences,
                                                   const SequenceShape& shape) {
    if (sequences.empty()) fail("no sequences to render");
    std::int64_t input = 0, output = 0;
    for (const auto& s : sequences) {
        input = std::max(input, frames_in(s.input, shape, s.name));
        const std::int64_t truth = frames_in(s.truth, shape, s.name);
        std::int64_t shown = truth;
        for (const auto& model : s.models) {
            const std::string what = s.name + " (" + model.name + ")";
            const std::int64_t frames = frames_in(model.frames, shape, what);
            if (shown > 0 && frames != shown)
                fail("{}: {} predicted frames, expected {}", what, frames, shown);
            check_scores(model.mse, frames, what);
            check_scores(model.ssim, frames, what);
            shown = frames;
        }
        output = std::max(output, shown);
        if (s.models.size() != sequences[0].models.size())
            fail("{}: not the same number of models as the other sequences", s.name);
    }
    if (input + output == 0) fail("no frames to render");
    return {input, output};
}

float error_top(std::span<const PanelSequence> sequences, const PanelOptions& options) {
    if (options.error_top > 0) return options.error_top;
    ErrorScale scale;
    for (const auto& s : sequences) {
        for (const auto& model : s.models) scale.add(model.frames, s.truth, options.range);
    }
    return scale.top();
}

std::span<const float> frame_of(std::span<const float> frames, std::int64_t k, const SequenceShape& shape) {
    const auto n = static_cast<std::size_t>(shape.frame_elements());
    return frames.subspan(static_cast<std::size_t>(k) * n, n);
}

}  // namespace stl
