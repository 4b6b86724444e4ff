#include "stl/data/dataset.h"

#include "stl/core/error.h"
#include "stl/data/registry.h"

namespace stl {
DatasetOptions DatasetOptions::from_json(const Json& json, const std::string& where) {
    Fields fields(json, where);
    DatasetOptions options;
    options.where = where;
    options.name = fields.require<std::string>("name");
    const auto& info = find_dataset(options.name, fields.where("name"));
    read_options(fields, options);
    fields.find<Json>("mean");
    fields.find<Json>("std");
    options.normalization = Normalization::from_json(fields.object(), where);
    if (const auto augment = fields.find<Json>("augment")) {
        options.augment = AugmentOptions::from_json(*augment, fields.where("augment"));
    }
    options.own = info.keys.read(fields);
    fields.finish();
    return options;
}

Json DatasetOptions::to_json() const {
    Json json = {{"name", name}};
    json.update(write_options(*this));
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
