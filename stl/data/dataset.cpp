#include "stl/data/dataset.h"

#include "stl/core/error.h"
#include "stl/data/registry.h"

namespace stl {
namespace {

constexpr std::int64_t most_frames = 100'000;

std::int64_t frames(Fields& fields, const std::string& key, std::int64_t fallback) {
    const auto value = fields.get<std::int64_t>(key, fallback);
    if (value < 1 || value > most_frames)
        fail("{}: {}, expected 1 to {}", fields.where(key), value, most_frames);
    return value;
}

std::optional<std::int64_t> count(Fields& fields, const std::string& key) {
    const auto value = fields.find<std::int64_t>(key);
    if (value && *value < 1) fail("{}: {}, expected at least 1", fields.where(key), *value);
    return value;
}

}  // namespace

DatasetOptions DatasetOptions::from_json(const Json& json, const std::string& where) {
    Fields fields(json, where);
    DatasetOptions options;
    options.where = where;
    options.name = fields.require<std::string>("name");
    const auto& info = find_dataset(options.name, fields.where("name"));
    options.input_frames = frames(fields, "input_frames", options.input_frames);
    options.output_frames = frames(fields, "output_frames", options.output_frames);
    options.train_sequences = count(fields, "train_sequences");
    options.val_sequences = count(fields, "val_sequences");
    options.test_sequences = count(fields, "test_sequences");
    fields.find<Json>("mean");
    fields.find<Json>("std");
    options.normalization = Normalization::from_json(fields.object(), where);
    if (const auto augment = fields.find<Json>("augment")) {
        options.augment = AugmentOptions::from_json(*augment, fields.where("augment"));
    }
    options.own = info.read_keys(fields);
    fields.finish();
    return options;
}

Json DatasetOptions::to_json() const {
    Json json = {{"name", name}, {"input_frames", input_frames}, {"output_frames", output_frames}};
    if (train_sequences) json["train_sequences"] = *train_sequences;
    if (val_sequences) json["val_sequences"] = *val_sequences;
    if (test_sequences) json["test_sequences"] = *test_sequences;
    if (normalization) normalization->add_to(json);
    if (augment) json["augment"] = augment->to_json();
    if (own.is_object()) json.update(own);
    return json;
}

std::unique_ptr<Dataset> make_dataset(const DatasetOptions& options, Split split, std::uint64_t seed) {
    auto data = find_dataset(options.name, options.where).make(options, split, seed);
    if (!data || !options.augment) return data;
    return augmented(std::move(data), *options.augment, split, seed, options.where);
}

std::string shortage(std::string_view key, std::optional<std::int64_t> wanted, const Dataset& data) {
    if (!wanted || data.size() >= *wanted) return "";
    return fmt::format("{} is {}, there are {}", key, *wanted, data.size());
}

}  // namespace stl
