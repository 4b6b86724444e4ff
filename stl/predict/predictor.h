// A trained network ready to predict: from a run's folder, or from a checkpoint file with or without its
// configuration.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "stl/core/json.h"
#include "stl/core/reporter.h"
#include "stl/data/normalization.h"
#include "stl/formats/sequences.h"
#include "stl/gpu/kernel_table.h"
#include "stl/models/simvp.h"
#include "stl/run/run_folder.h"
#include "stl/runtime/precision.h"
#include "stl/runtime/torch.h"
#include "stl/runtime/tuner.h"

namespace stl {

struct PredictorOptions {
    std::string source;            ///< a run's folder or a checkpoint, FILE or FILE:KEY
    std::string model_json{};      ///< the model's configuration, where the checkpoint has none
    std::string weights = "last";  ///< of a run: last or best
    std::string device = "auto";   ///< stl/runtime/device.h
    /// CPU threads of a pass, while it lasts and for the thread that calls; 0: as many as that thread's operations take
    /// (stl/runtime/device.h: set_threads).
    int threads = 0;
    Path path = Path::fast;
    Precision precision = Precision::fp32;  ///< others are less exact and, on some machines, quicker
    /// The shape of the frames to be predicted: used as the frame size if neither the checkpoint nor model_json
    /// specifies one.
    std::optional<SequenceShape> frame{};
    /// Used if the checkpoint does not record its experiment.
    Normalization normalization{};
    /// Build the network for frames of this height and width instead of those that it was trained on, as far
    /// as its weights allow.
    std::optional<std::array<std::int64_t, 2>> size{};
    /// Of a GPU's fast path. Null: the device's own (tests give the emulated ones to a CPU).
    const gpu::KernelTable* kernels = nullptr;
    /// Of a CPU's fast path: chooses among implementations by timing them (stl/runtime/tuner.h). Null: nothing is timed,
    /// and the same weights give the same bits in every process.
    std::shared_ptr<Tuner> tuner{};
};

class Predictor {
  public:
    /// Error: nothing there, no checkpoint, weights that do not fit, a configuration that must be asked for,
    /// fp16 without a GPU. reporter: told in a line of another precision than was asked for, and why a GPU is
    /// not as fast as it could be; has to live as long.
    Predictor(const PredictorOptions& options, Reporter& reporter);
    /// Tells nobody.
    explicit Predictor(const PredictorOptions& options);
    ~Predictor();
    Predictor(Predictor&&) noexcept;
    Predictor& operator=(Predictor&&) noexcept;

    /// x: [B,T,C,H,W] on any device -> [B,frames,C,H,W] float32 on device(), not clipped. 0: output_frames().
    /// More frames than the model's roll out on its own predictions. Both are in the stored range: mean and
    /// deviation are applied and undone here. Keeps no gradients.
    torch::Tensor predict(const torch::Tensor& x, std::int64_t frames = 0);

    const SimVPOptions& model() const;
    /// What the model was trained to predict, or as many as it sees where that is not known.
    std::int64_t output_frames() const;
    std::int64_t parameters() const;
    /// Frames a second of the training data; 0: not known.
    double trained_fps() const;
    /// The values that stand for black and white in the training data; absent: not known.
    const std::optional<ValueRange>& trained_range() const;
    torch::Device device() const;
    /// What is computed where the options' was asked for (runtime/precision.h).
    Precision precision() const;

    /// The experiment that trained the network, complete; null if the checkpoint does not record it.
    const Json& experiment() const;
    /// The file that records the experiment.
    const fs::path& experiment_file() const;
    /// The run that it came from; null for a checkpoint file.
    const RunFolder* run() const;
    const fs::path& checkpoint() const;
    /// Epochs trained, as the checkpoint says.
    std::int64_t epoch() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace stl
