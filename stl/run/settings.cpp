#include "stl/run/settings.h"

#include <algorithm>

#include "stl/formats/sequences.h"
#include "stl/run/experiment.h"

namespace stl {

void for_each_path(Json& experiment, const std::function<void(std::string& path)>& function) {
    for (const auto& [object, key] : {std::pair{"dataset", "path"},
                                      {"dataset", "val_path"},
                                      {"dataset", "test_path"},
                                      {"train", "init"}}) {
        const auto found = experiment.find(object);
        if (found == experiment.end() || !found->is_object()) continue;
        if (const auto value = found->find(key);
            value != found->end() && value->is_string() && !value->get_ref<const std::string&>().empty())
            function(value->get_ref<std::string&>());
    }
}

void make_paths_absolute(Json& experiment) {
    for_each_path(experiment, [](std::string& path) {
        std::error_code ec;
        if (fs::exists(path, ec) || fs::exists(DataFile(path).path, ec)) path = fs::absolute(path).string();
    });
}

std::string setting_key(std::string_view name) {
    std::vector<std::string> keys{"train.steps", "train.init"};
    const Json train = Experiment{}.train_json();
    const Json model = SimVPOptions{}.to_json();
    for (const auto& [key, value] : train.items()) keys.push_back("train." + key);
    for (const auto& [key, value] : model.items()) {
        if (key != "in_shape" && key != "output_frames") keys.push_back("model." + key);
    }
    for (const char* key :
         {"name", "path", "val_path", "test_path", "layout", "input_frames", "output_frames",
          "train_sequences", "val_sequences", "test_sequences", "mean", "std", "augment"})
        keys.push_back(std::string("dataset.") + key);
    std::string wanted(name);
    std::ranges::replace(wanted, '-', '_');
    if (wanted.empty()) return "";
    std::vector<std::string> begin;
    for (const auto& key : keys) {
        const auto last = key.substr(key.find('.') + 1);
        if (last == wanted) return key;
        if (last.starts_with(wanted + "_")) begin.push_back(key);
    }
    return begin.size() == 1 ? begin.front() : "";
}

}  // namespace stl
