#include "stl/eval/evaluate.h"

#include <algorithm>
#include <cmath>

#include "stl/core/array.h"
#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/data/loader.h"
#include "stl/eval/trivial.h"
#include "stl/runtime/device.h"
#include "stl/train/batches.h"

namespace stl {
namespace {

void check_frames(const Predictor& predictor, const Dataset& data) {
    const auto& model = predictor.model();
    const auto shape = data.shape();
    if (shape.channels != model.channels || shape.height != model.height || shape.width != model.width) {
        fail("{}: frames of {}x{}x{}, but the model of {} expects {}x{}x{} (channels x height x width)",
             data.describe(), shape.channels, shape.height, shape.width, predictor.checkpoint().string(),
             model.channels, model.height, model.width);
    }
    if (shape.frames <= model.frames) {
        fail("{}: sequences of {} frames, expected more than the {} that the model sees", data.describe(),
             shape.frames, model.frames);
    }
    if (data.size() == 0) fail("{}: has no sequences", data.describe());
}

/// About what the network holds at once for a sequence, in bytes: a few of the encoder's widest maps.
std::uint64_t working_bytes(const SimVPOptions& m) {
    constexpr std::uint64_t maps_at_once = 3;
    return maps_at_once * sizeof(float) * static_cast<std::uint64_t>(m.frames * m.hid_S * m.height * m.width);
}

/// On a CPU the kernel ends a program that takes too much, so this is asked beforehand.
void require_room(const Predictor& predictor, std::int64_t batch) {
    if (!predictor.device().is_cpu()) return;
    const auto each = working_bytes(predictor.model()), free = available_memory().bytes;
    if (static_cast<std::uint64_t>(batch) * each <= free) return;
    fail("out of memory: a batch of {} sequences needs about {}, but only {} is available; --batch {} fits",
         batch, bytes_text(static_cast<std::uint64_t>(batch) * each), bytes_text(free),
         std::max<std::uint64_t>(1, free / each / 2));
}

std::int64_t fitting_batch_of(Predictor& predictor, std::int64_t batch, std::int64_t frames) {
    const auto& m = predictor.model();
    return fitting_batch(batch, [&](std::int64_t size) {
        predictor.predict(torch::zeros({size, m.frames, m.channels, m.height, m.width}), frames);
    });
}

class Pass {
  public:
    Pass(Predictor& predictor, const Dataset& data, const EvaluateOptions& options)
        : predictor_(predictor),
          data_(data),
          shape_(data.shape()),
          frames_(shape_.frames - predictor.model().frames),
          metrics_(options.metrics),
          trivial_metrics_(options.trivial ? trivial_predictors().size() : 0) {
        for (auto& metrics : trivial_metrics_) metrics = MetricAccumulator(options.metrics);
    }

    void add(const Batch& batch) {
        const auto [input, target] =
            split_batch(batch, shape_, predictor_.model().frames, predictor_.device());
        const auto start = Clock::now();
        const auto prediction = predictor_.predict(input, frames_);
        // Reading a value waits for the device.
        if (!prediction.is_cpu()) prediction.flatten()[0].item<float>();
        timed_.push_back({batch.size, seconds_since(start)});
        const auto predicted = Clock::now();
        metrics_.add(prediction, target);
        metric_seconds_ += seconds_since(predicted);
        for (std::size_t i = 0; i < trivial_metrics_.size(); ++i) {
            trivial_metrics_[i].add(trivial_predictors()[i].predict(input, frames_), target);
        }
    }

    /// What all ranks have measured.
    void merge(const Group& group) {
        merge_ranks(metrics_, group);
        for (auto& metrics : trivial_metrics_) merge_ranks(metrics, group);
        rate_ = group.total(own_rate());
    }

    Evaluation result() const {
        Evaluation e;
        e.test_set = data_.describe();
        e.input_frames = predictor_.model().frames;
        e.output_frames = frames_;
        e.metric_options = metrics_.options();
        e.metrics = metrics_.value();
        for (std::size_t i = 0; i < trivial_metrics_.size(); ++i) {
            e.trivial.emplace_back(trivial_predictors()[i].name, trivial_metrics_[i].value());
        }
        e.predict_seconds = total(0).seconds;
        e.sequences_per_second = rate_ > 0 ? rate_ : own_rate();
        e.metric_seconds = metric_seconds_;
        return e;
    }

  private:
    struct Timed {
        std::int64_t sequences = 0;
        double seconds = 0;
    };
    /// Of the batches from `first` on.
    Timed total(std::size_t first) const {
        Timed sum;
        for (std::size_t i = first; i < timed_.size(); ++i) {
            sum.sequences += timed_[i].sequences;
            sum.seconds += timed_[i].seconds;
        }
        return sum;
    }

    /// In sequences per second, without the first batch where there are others. A rank may have had none.
    double own_rate() const {
        const auto warm = total(timed_.size() > 1 ? 1 : 0);
        return warm.sequences > 0 ? static_cast<double>(warm.sequences) / warm.seconds : 0;
    }

    Predictor& predictor_;
    const Dataset& data_;
    SequenceShape shape_;
    std::int64_t frames_;
    MetricAccumulator metrics_;
    std::vector<MetricAccumulator> trivial_metrics_;
    std::vector<Timed> timed_;  ///< by batch
    double metric_seconds_ = 0;
    double rate_ = 0;  ///< of all ranks, in sequences per second; 0: this process alone
};

}  // namespace

Evaluation evaluate(Predictor& predictor, const Dataset& data, const EvaluateOptions& options,
                    Reporter& reporter, const StopRequested& stop, Group* group) {
    const auto started = Clock::now();
    const auto batch_size = std::min(options.batch_size, data.size());
    together(group, [&] {
        check_frames(predictor, data);
        require_room(predictor, batch_size);
    });
    const std::int64_t rank = rank_in(group), ranks = size_of(group);
    Pass pass(predictor, data, options);
    Loader loader(data,
                  {.batch_size = batch_size,
                   .shuffle = false,
                   .threads = loader_threads(predictor.device()),
                   .stride = ranks,
                   .allocate = batch_allocator(predictor.device())},
                  0, rank);
    std::int64_t done = 0;
    try {
        const auto batches = loader.batches_per_epoch();
        for (std::int64_t first = 0; first < batches; first += ranks) {
            const bool stopped = stop && stop();
            if (group != nullptr ? group->any(stopped) : stopped)
                throw Interrupted("evaluation was interrupted; nothing was written");
            if (group != nullptr) group->note(fmt::format("batch {} of {}", first + rank + 1, batches));
            if (first + rank >= batches) break;
            const auto batch = loader.next();
            pass.add(batch);
            done += batch.size * std::min(ranks, batches - first);
            reporter.progress({std::min(done, data.size()), data.size(), "evaluating", ""});
        }
    } catch (const std::exception& error) {
        if (!is_out_of_memory(error)) throw;
        const auto fits =
            fitting_batch_of(predictor, batch_size, data.shape().frames - predictor.model().frames);
        if (fits == 0) fail("out of memory on {}: not even a batch of 1 fits", predictor.device().str());
        fail("out of memory on {} with --batch {}; {} fits", predictor.device().str(), batch_size, fits);
    }
    reporter.progress_end();
    if (group != nullptr) pass.merge(*group);
    auto result = pass.result();
    result.seconds = seconds_since(started);
    return result;
}

Json Evaluation::to_json() const {
    Json json = metrics.to_json(metric_options);
    json["test_set"] = test_set;
    json["input_frames"] = input_frames;
    json["output_frames"] = output_frames;
    json["baselines"] = Json::object();
    for (const auto& [name, values] : trivial) {
        auto entry = values.to_json(metric_options);
        entry.erase("ssim_mode");
        entry.erase("sequences");
        json["baselines"][name] = std::move(entry);
    }
    json["seconds"] = seconds;
    json["predict_seconds"] = predict_seconds;
    json["metric_seconds"] = metric_seconds;
    json["sequences_per_second"] = sequences_per_second;
    return json;
}

}  // namespace stl
