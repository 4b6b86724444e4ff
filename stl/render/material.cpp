#include "stl/render/material.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "stl/core/array.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"

namespace stl {
namespace {

Material described(const SequenceShape& shape, double fps, std::string title) {
    Material m;
    m.shape = shape;
    m.fps = fps;
    m.title = std::move(title);
    return m;
}

/// The numbers of the sequences to show: those asked for, or the first ones.
std::vector<std::int64_t> chosen(const SequenceChoice& choice, std::int64_t available,
                                 const std::string& where) {
    auto numbers = choice.numbers;
    if (numbers.empty()) {
        const auto count = std::min(choice.first, available);
        for (std::int64_t i = 0; i < count; ++i) numbers.push_back(choice.spread ? i * available / count : i);
    }
    for (const auto i : numbers) {
        if (i < 0 || i >= available) fail("{}: no sequence {}, there are {} (from 0)", where, i, available);
    }
    if (numbers.empty()) fail("{}: holds no sequences", where);
    return numbers;
}

std::vector<float>& new_values(Material& m, std::int64_t count, const std::string& where) {
    require_memory(static_cast<std::uint64_t>(count) * sizeof(float), where);
    return m.values.emplace_back(static_cast<std::size_t>(count));
}

std::span<const float> part(std::span<const float> values, std::int64_t first, std::int64_t frames,
                            const SequenceShape& shape) {
    const std::int64_t n = shape.frame_elements();
    return values.subspan(static_cast<std::size_t>(first * n), static_cast<std::size_t>(frames * n));
}

/// Of the test set: the sequences to show, under its file's name.
Material test_sequences(const SequenceChoice& choice, const DatasetOptions& set, const std::string& source) {
    const auto data = open_test_set(set);
    const auto files = data->files();
    const bool stored = !data->generated() && !files.empty();
    Material m = described(data->shape(), data->fps(), stored ? files.front().filename().string() : set.name);
    m.range = data->range();
    for (const auto i : chosen(choice, data->size(), source)) {
        auto& values = new_values(m, m.shape.elements(), source);
        data->fetch(0, i, values);
        m.sequences.push_back({fmt::format("#{}", i),
                               part(values, 0, set.input_frames, m.shape),
                               part(values, set.input_frames, set.output_frames, m.shape),
                               {}});
    }
    return m;
}

/// Networks beside each other see and predict the same frames.
void require_alike(const Predictor& predictor, const DatasetOptions& set, const DatasetOptions& first,
                   const SequenceShape& shape, const std::string& source) {
    const auto& model = predictor.model();
    if (model.frames == first.input_frames && set.output_frames == first.output_frames &&
        model.channels == shape.channels && model.height == shape.height && model.width == shape.width)
        return;
    fail("{}: takes {} frames of {}x{}x{}, the others {} of {}x{}x{}", source, model.frames, model.channels,
         model.height, model.width, first.input_frames, shape.channels, shape.height, shape.width);
}

void add_predictions(Material& m, Predictor& predictor, const DatasetOptions& set, const std::string& name,
                     const StopRequested& stop) {
    for (auto& s : m.sequences) {
        if (stop && stop()) throw Interrupted("render: interrupted, nothing written");
        const auto x =
            torch::from_blob(const_cast<float*>(s.input.data()),
                             {1, set.input_frames, m.shape.channels, m.shape.height, m.shape.width});
        const auto y = predictor.predict(x, set.output_frames).to(torch::kCPU).contiguous();
        const float* first = y.const_data_ptr<float>();
        const auto& values = m.values.emplace_back(first, first + y.numel());
        s.models.push_back({name, values, {}, {}});
    }
}

/// Where several are shown.
std::string model_name(const Predictor& predictor) {
    return predictor.run() ? predictor.run()->name() : predictor.checkpoint().stem().string();
}

torch::Tensor view(std::span<const float> values, const SequenceShape& shape) {
    return torch::from_blob(
        const_cast<float*>(values.data()),
        {1, std::ssize(values) / shape.frame_elements(), shape.channels, shape.height, shape.width});
}

}  // namespace

Material stored_sequences(const DataFile& file, const ReadOptions& reading, const SequenceChoice& choice) {
    const auto reader = open_sequences(file, reading);
    Material m = described(reader->info().shape, reader->info().fps,
                           DataFile(file.path.filename(), file.dataset).string());
    m.range = reader->info().range;
    m.warnings = reader->info().warnings;
    for (const auto i : chosen(choice, reader->info().count, file.string())) {
        auto& values = new_values(m, m.shape.elements(), file.string());
        reader->read(i, 1, values);
        m.sequences.push_back({fmt::format("#{}", i), values, {}, {}});
    }
    return m;
}

Material stored_predictions(const std::vector<DataFile>& predictions, const DataFile& truth_file,
                            const ReadOptions& reading, const SequenceChoice& choice) {
    const auto truth = open_sequences(truth_file, reading);
    Material m = described(truth->info().shape, truth->info().fps, "");
    m.range = truth->info().range;
    m.warnings = truth->info().warnings;
    const auto numbers = chosen(choice, truth->info().count, truth_file.string());
    for (const auto i : numbers) {
        auto& values = new_values(m, m.shape.elements(), truth_file.string());
        truth->read(i, 1, values);
        m.sequences.push_back({fmt::format("#{}", i), {}, values, {}});
    }
    for (const auto& file : predictions) {
        const auto reader = open_sequences(file, {.external = reading.external});
        const auto& info = reader->info();
        m.warnings.insert(m.warnings.end(), info.warnings.begin(), info.warnings.end());
        SequenceShape expected = m.shape;
        expected.frames = info.shape.frames;
        if (info.shape != expected || info.shape.frames > m.shape.frames ||
            info.count < truth->info().count) {
            fail("{}: {} sequences of {} do not match the {} sequences of {} in {}", file.string(),
                 info.count, to_string(info.shape), truth->info().count, to_string(m.shape),
                 truth_file.string());
        }
        for (std::size_t k = 0; k < numbers.size(); ++k) {
            PanelSequence& s = m.sequences[k];
            auto& values = new_values(m, info.shape.elements(), file.string());
            reader->read(numbers[k], 1, values);
            const std::span<const float> whole(m.values[k]);
            const std::int64_t seen = m.shape.frames - info.shape.frames;
            if (!s.models.empty() && part(whole, 0, seen, m.shape).size() != s.input.size()) {
                fail("{}: {} predicted frames, the other predictions have {}", file.string(),
                     info.shape.frames, std::ssize(s.models[0].frames) / m.shape.frame_elements());
            }
            s.input = part(whole, 0, seen, m.shape);
            s.truth = part(whole, seen, info.shape.frames, m.shape);
            s.models.push_back({predictions.size() > 1 ? file.path.stem().string() : "", values, {}, {}});
        }
    }
    return m;
}

Material predicted_sequences(const std::vector<std::string>& sources,
                             const PredictorOptions& predictor_options, const TestSetOptions& test,
                             const SequenceChoice& choice, Reporter& reporter, const StopRequested& stop) {
    Material m;
    DatasetOptions first;
    const bool several = sources.size() > 1;
    for (const auto& source : sources) {
        PredictorOptions options = predictor_options;
        options.source = source;
        if (!test.data.empty())
            take_hints(options, test.data, {.layout = test.layout, .external = test.external});
        Predictor predictor(options, reporter);
        const DatasetOptions set = test_set_options(test, predictor);
        if (m.sequences.empty()) {
            first = set;
            m = test_sequences(choice, set, source);
            if (!several) m.title += ": " + predictor.model().translator;
        }
        require_alike(predictor, set, first, m.shape, source);
        reporter.progress({0, 0, "predicting", source});
        add_predictions(m, predictor, set, several ? model_name(predictor) : "", stop);
    }
    reporter.progress_end();
    return m;
}

Brightness value_range(const Material& m) {
    if (const auto range = other_than_unit(m.range))
        return {static_cast<float>(range->low), static_cast<float>(range->high), 0};
    float low = 0, high = 1;
    for (const auto& s : m.sequences) {
        for (const auto part : {s.input, s.truth}) {
            for (const float v : part) {
                if (!std::isfinite(v)) continue;
                low = std::min(low, v);
                high = std::max(high, v);
            }
        }
    }
    return low >= -0.01F && high <= 1.01F ? Brightness{} : Brightness{low, high, 0};
}

void add_scores(Material& m, SsimMode ssim, const Brightness& range) {
    MetricOptions options;
    options.ssim = ssim;
    options.range = other_than_unit(m.range);
    const bool unit = range.low == 0 && range.high == 1;
    for (auto& s : m.sequences) {
        for (auto& model : s.models) {
            if (s.truth.size() != model.frames.size()) continue;
            MetricAccumulator metrics(options);
            metrics.add(view(model.frames, m.shape), view(s.truth, m.shape));
            const MetricValues values = metrics.value();
            model.mse = values.of("mse").per_frame;
            if (options.range || unit) model.ssim = values.of("ssim").per_frame;
        }
    }
}

}  // namespace stl
