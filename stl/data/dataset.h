// What a network is trained and evaluated on: numbered sequences, each a pure function of (epoch, index).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/json.h"
#include "stl/core/options.h"
#include "stl/data/augment.h"
#include "stl/data/normalization.h"
#include "stl/formats/sequences.h"

namespace stl {

/// The `dataset` object of an experiment.
struct DatasetOptions {
    std::string name;  ///< "mmnist", "mfmnist", "file", ... (registry: stl/data/registry.h)
    std::int64_t input_frames = 10;
    std::int64_t output_frames = 10;
    std::optional<std::int64_t>
        train_sequences;  ///< how many are made or read; absent: the data set's default
    std::optional<std::int64_t> val_sequences;
    std::optional<std::int64_t> test_sequences;
    std::optional<Normalization> normalization;  ///< `mean` and `std`; absent: what the data set's file says
    std::optional<AugmentOptions> augment;       ///< absent: sequences as they are
    Json own;                                    ///< the data set's specific keys, all with values (sets/)
    std::string where = "dataset";               ///< "experiments/a.json: dataset", for messages

    /// Every key but name, mean, std, augment and the data set's own.
    template <class Options, class Visit>
    static void each(Options& o, Visit&& key) {
        constexpr std::int64_t most_frames = 100'000;
        key("input_frames", o.input_frames, between(1, most_frames), "frames that the network sees");
        key("output_frames", o.output_frames, between(1, most_frames), "frames that it predicts");
        key("train_sequences", o.train_sequences, at_least(1),
            "how many training sequences to generate or read");
        key("val_sequences", o.val_sequences, at_least(1),
            "how many validation sequences to generate or read");
        key("test_sequences", o.test_sequences, at_least(1), "how many test sequences to generate or read");
    }

    std::int64_t total_frames() const { return input_frames + output_frames; }
    /// Reads and checks every key, those of the named data set too.
    static DatasetOptions from_json(const Json& json, const std::string& where);
    /// Complete: every key with its resolved value.
    Json to_json() const;
};

/// The data set's specific keys, as a struct.
template <class Own>
Own own_options(const DatasetOptions& options) {
    Fields fields(options.own, options.where);
    Own own;
    read_options(fields, own);
    return own;
}

class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual std::int64_t size() const = 0;
    /// frames = input + output.
    virtual SequenceShape shape() const = 0;
    /// One sequence, [T,C,H,W] in the model's range. Const and thread-safe; the same (epoch, index) gives the
    /// same values whichever thread asks and in whichever order.
    virtual void fetch(std::int64_t epoch, std::int64_t index, std::span<float> out) const = 0;
    /// One line for logs and reports: "Moving MNIST, 10,000 sequences made from 60,000 digits, seed 1".
    virtual std::string describe() const = 0;
    /// True if every epoch has new sequences, so that no shuffling is needed.
    virtual bool generated() const { return false; }
    /// The mean and standard deviation that the data's own file states.
    virtual Normalization normalization() const { return {}; }
    /// False: a file without a split, all of whose sequences are used for both training and testing.
    virtual bool marks_split() const { return true; }
    /// Of the file that the sequences are read from, how its rows are split: {"train": 80, "validation": 10, "test":
    /// 10, "digest": "e3069283"}, the digest being of the rows' numbers. Null: they are made, or the file marks no
    /// split.
    virtual Json split_record() const { return nullptr; }
    /// Warnings about the sequences, one line each (SequenceInfo::warnings).
    virtual std::vector<std::string> warnings() const { return {}; }
    /// The values that stand for black and white; absent: unknown.
    virtual std::optional<ValueRange> range() const { return ValueRange{}; }
    /// Frames per second; 0: unknown.
    virtual double fps() const { return 0; }
    /// The files that the sequences are read or made from.
    virtual std::vector<fs::path> files() const { return {}; }
};

/// The named split, or null if the data set has no such split (validation of a file without a split).
/// `seed` is the run's; validation and test sets do not depend on it.
std::unique_ptr<Dataset> make_dataset(const DatasetOptions& options, Split split, std::uint64_t seed);

/// "dataset.train_sequences is 100, but there are only 80", where `key` is the key that gave `wanted`; empty if
/// there are enough.
std::string shortage(std::string_view key, std::optional<std::int64_t> wanted, const Dataset& data);

}  // namespace stl
