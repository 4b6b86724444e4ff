// A tiny trained run and a tiny data set, for the tests of what comes after training.
#pragma once

#include <unistd.h>

#include <string>
#include <vector>

#include "stl/checkpoint/checkpoint.h"
#include "stl/data/dataset.h"
#include "stl/run/run_folder.h"
#include "tests/support/checks.h"

namespace stl::testing {

using test::error_of;
using test::TemporaryFolder;

/// Sequences of noise, each a function of its index.
class NoiseDataset : public Dataset {
  public:
    NoiseDataset(std::int64_t size, SequenceShape shape) : size_(size), shape_(shape) {}
    std::int64_t size() const override { return size_; }
    SequenceShape shape() const override { return shape_; }
    std::string describe() const override { return "noise"; }
    void fetch(std::int64_t, std::int64_t index, std::span<float> out) const override {
        std::uint32_t state = static_cast<std::uint32_t>(index) * 2654435761U + 1;
        for (auto& value : out) {
            state = state * 1664525U + 1013904223U;
            value = static_cast<float>(state >> 8) / 16777216.0F;
        }
    }
    /// All of it: [size,T,C,H,W].
    torch::Tensor tensor() const {
        auto all = torch::empty({size_, shape_.frames, shape_.channels, shape_.height, shape_.width});
        for (std::int64_t i = 0; i < size_; ++i) {
            fetch(0, i, {all[i].mutable_data_ptr<float>(), static_cast<std::size_t>(shape_.elements())});
        }
        return all;
    }

  private:
    std::int64_t size_;
    SequenceShape shape_;
};

inline SimVPOptions small_model() {
    SimVPOptions o;
    o.translator = "gsta";
    o.frames = 3;
    o.channels = 1;
    o.height = o.width = 16;
    o.hid_S = 4;
    o.hid_T = 8;
    o.N_S = 2;
    o.N_T = 2;
    o.mlp_ratio = 2;
    o.output_frames = 2;
    return o;
}

inline Json small_experiment() {
    return {{"dataset", {{"name", "file"}, {"path", "none.h5"}, {"input_frames", 3}, {"output_frames", 2}}},
            {"model", small_model().to_json()},
            {"train", {{"epochs", 7}, {"seed", 5}, {"batch_size", 4}}}};
}

/// Writes random weights. `recorded`: with the configuration beside them.
inline SimVP write_small_checkpoint(const fs::path& path, std::uint64_t seed, bool recorded = true) {
    torch::manual_seed(seed);
    SimVP model(small_model());
    Checkpoint checkpoint;
    checkpoint.state = state_of(*model);
    checkpoint.epoch = static_cast<std::int64_t>(seed);
    if (recorded)
        checkpoint.stl = {{"model", model->options().to_json()}, {"experiment", small_experiment()}};
    write_checkpoint(path, checkpoint);
    model->eval();
    return model;
}

/// A finished run whose last weights have seed 7 and whose best have seed 3.
inline RunFolder write_small_run(const fs::path& path) {
    auto run = RunFolder::create(path, false);
    write_json(run.experiment_file(), small_experiment());
    write_json(run.run_file(),
               {{"state", "finished"}, {"device", "cpu"}, {"revision", "abc"}, {"seconds", 7200.0}});
    write_small_checkpoint(run.checkpoint("last"), 7);
    write_small_checkpoint(run.checkpoint("best"), 3);
    return run;
}

}  // namespace stl::testing
