#include "stl/eval/published.h"

#include <algorithm>
#include <charconv>

#include "stl/core/error.h"
#include "stl/run/experiment.h"

namespace stl {
namespace {

/// Model keys that make a network another one.
constexpr const char* compared_keys[] = {
    "translator", "hid_S", "hid_T", "N_S", "N_T", "mlp_ratio", "spatio_kernel_enc", "spatio_kernel_dec"};

std::int64_t as_number(const std::string& text, const std::string& where) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        fail("{}: '{}' is not a number of epochs", where, text);
    return value;
}

/// A value of the table, or null.
Json at(const Json& json, const std::string& key) {
    const auto it = json.find(key);
    return it == json.end() ? Json(nullptr) : *it;
}

/// Where a set, or CIFAR-10, lies on this machine does not make it another one. (Glyphs do: those of the
/// benchmark are shipped.)
Json without_places(Json dataset) {
    for (const char* key : {"path", "val_path", "test_path", "layout", "allow_external", "backgrounds"})
        dataset.erase(key);
    return dataset;
}

std::string text_at(const Json& json, const char* part, const char* key) {
    const auto value =
        json.is_object() && json.contains(part) && json[part].is_object() ? at(json[part], key) : Json();
    return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

std::optional<fs::path> experiments_folder() {
    std::error_code ec;
    const auto program = program_folder();
    for (const auto& folder :
         {fs::path("experiments"), program / "../../experiments", program / "../share/stl/experiments"}) {
        if (fs::is_regular_file(folder / "published.json", ec)) return folder.lexically_normal();
    }
    return std::nullopt;
}

Published Published::read(const fs::path& file) {
    Json table = read_json(file);
    if (!table.is_object()) fail("{}: not an object {{...}}", file.string());
    for (const auto& [dataset, by_epochs] : table.items()) {
        if (dataset.starts_with("_")) continue;
        const auto where = file.string() + ": " + dataset;
        if (!by_epochs.is_object()) fail("{}: not an object {{epochs: ...}}", where);
        for (const auto& [epochs, rows] : by_epochs.items()) {
            as_number(epochs, where);
            const bool fits = rows.is_object() && std::ranges::all_of(rows, [](const Json& row) {
                                  return row.is_object() && std::ranges::all_of(row, [](const Json& v) {
                                             return v.is_number();
                                         });
                              });
            if (!fits) fail("{}.{}: not a table {{translator: {{metric: number}}}}", where, epochs);
        }
    }
    table.erase("_about");
    return Published(std::move(table));
}

std::vector<std::string> Published::datasets() const {
    std::vector<std::string> names;
    for (const auto& [name, rows] : table_.items()) names.push_back(name);
    return names;
}

std::vector<std::int64_t> Published::epochs(const std::string& dataset) const {
    std::vector<std::int64_t> list;
    const auto rows = at(table_, dataset);
    for (const auto& [epochs, row] : rows.items()) list.push_back(as_number(epochs, dataset));
    return list;
}

std::vector<std::string> Published::translators(const std::string& dataset, std::int64_t epochs) const {
    std::vector<std::string> names;
    const auto rows = at(at(table_, dataset), std::to_string(epochs));
    for (const auto& [name, row] : rows.items()) names.push_back(name);
    return names;
}

Json Published::row(const std::string& dataset, std::int64_t epochs, const std::string& translator) const {
    return at(at(at(table_, dataset), std::to_string(epochs)), translator);
}

bool is_benchmark(const Json& experiment, const fs::path& experiments) {
    const auto dataset = text_at(experiment, "dataset", "name");
    const auto translator = text_at(experiment, "model", "translator");
    const auto file = experiments / dataset / (translator + ".json");
    if (dataset.empty() || translator.empty() || !fs::is_regular_file(file)) return false;
    const auto benchmark = load_experiment(file);
    if (without_places(benchmark.dataset.to_json()) != without_places(experiment["dataset"])) return false;
    // The sizes of a frame play no part in these keys.
    const auto model = benchmark.model_for({benchmark.dataset.total_frames(), 1, 64, 64}).to_json();
    return std::ranges::all_of(compared_keys, [&](const char* key) {
        return experiment["model"].contains(key) && experiment["model"][key] == model[key];
    });
}

Json published_row(const Json& experiment, const fs::path& experiments) {
    if (!experiment.is_object() || !experiment.contains("train") || experiment["train"].contains("steps"))
        return nullptr;
    const auto epochs = at(experiment["train"], "epochs");
    if (!epochs.is_number_integer() || !is_benchmark(experiment, experiments)) return nullptr;
    auto row =
        Published::read(experiments / "published.json")
            .row(text_at(experiment, "dataset", "name"), epochs, text_at(experiment, "model", "translator"));
    if (row.is_object()) row["epochs"] = epochs;
    return row;
}

}  // namespace stl
