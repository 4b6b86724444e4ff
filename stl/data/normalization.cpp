#include "stl/data/normalization.h"

#include <cmath>

#include "stl/core/error.h"

namespace stl {
namespace {

std::vector<double> numbers(const Json& value, const std::string& where) {
    std::vector<double> out;
    for (const auto& item : value.is_array() ? value : Json::array({value})) {
        if (!item.is_number() || !std::isfinite(item.get<double>())) {
            fail("{}: {} is not a number or a list of numbers", where, value.dump());
        }
        out.push_back(item.get<double>());
    }
    if (out.empty()) fail("{}: an empty list", where);
    return out;
}

Json short_form(const std::vector<double>& values) {
    return values.size() == 1 ? Json(values[0]) : Json(values);
}

}  // namespace

std::optional<Normalization> Normalization::from_json(const Json& object, const std::string& where) {
    const auto find = [&](const char* key) -> const Json* {
        const auto it = object.find(key);
        return it == object.end() || it->is_null() ? nullptr : &*it;
    };
    const auto *mean = find("mean"), *deviation = find("std");
    if (!mean && !deviation) return std::nullopt;
    if (!mean || !deviation) fail("{}: mean and std go together", where);
    Normalization n{numbers(*mean, where + ".mean"), numbers(*deviation, where + ".std")};
    if (n.mean.size() != n.deviation.size()) {
        fail("{}: {} means and {} deviations", where, n.mean.size(), n.deviation.size());
    }
    for (const double d : n.deviation) {
        if (!(d > 0)) fail("{}.std: {} is not positive", where, d);
    }
    return n;
}

void Normalization::add_to(Json& object) const {
    if (empty()) return;
    object["mean"] = short_form(mean);
    object["std"] = short_form(deviation);
}

void Normalization::check_channels(std::int64_t channels, const std::string& where) const {
    if (mean.size() <= 1 || std::ssize(mean) == channels) return;
    fail("{}: mean and std of {} channels, the frames have {}", where, mean.size(), channels);
}

Normalization stored_normalization(const SequenceInfo& info, const std::string& where) {
    if (info.attributes.is_object()) {
        if (auto stored = Normalization::from_json(info.attributes, where)) return *std::move(stored);
    }
    const auto range = other_than_unit(info.range);
    if (!range) return {};
    return {{range->low}, {range->width()}};
}

}  // namespace stl
