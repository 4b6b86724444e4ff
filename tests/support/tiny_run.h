// A tiny file of sequences and what trains a network on it in a moment, for the tests of files and their damage.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "stl/formats/sequences.h"
#include "stl/train/trainer.h"

namespace stl::test {

/// 12 sequences of 4 frames of 8x8: the first three for validation, then `tested` for testing, the others for training.
inline void write_tiny_data(const fs::path& path, int tested = 0, int compression = 0) {
    constexpr int count = 12, validated = 3;
    const SequenceShape shape{4, 1, 8, 8};
    const auto writer = create_sequences(path.string(), count, shape, {.compression = compression});
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count * shape.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<std::uint8_t>(i / 256 * 16 + i % 16);
    writer->append(values);
    std::vector<Split> splits(count, Split::train);
    std::fill_n(splits.begin(), validated, Split::validation);
    std::fill_n(splits.begin() + validated, tested, Split::test);
    writer->set_splits(splits);
    writer->finish();
}

/// Trains on such a file, with a line of the log a step and a checkpoint every `save_every`.
inline void train_tiny_run(const fs::path& data, const fs::path& run, int steps, int save_every) {
    TrainRequest request;
    request.experiment = parse_experiment(
        {{"dataset", {{"name", "file"}, {"path", data.string()}, {"input_frames", 2}, {"output_frames", 2}}},
         {"model", {{"translator", "convmixer"}, {"hid_S", 2}, {"hid_T", 4}, {"N_S", 2}, {"N_T", 2}}},
         {"train",
          {{"steps", steps},
           {"batch_size", 3},
           {"save_every", save_every},
           {"log_every", 1},
           {"threads", 1}}}},
        "test");
    request.run = run;
    request.device = "cpu";
    Reporter silent;
    train(request, silent);
}

}  // namespace stl::test
