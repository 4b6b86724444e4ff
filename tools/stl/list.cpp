// stl list: what there is to choose from, as the registries have it.

#include <fmt/ranges.h>

#include "stl/data/registry.h"
#include "stl/formats/sequence_formats.h"
#include "stl/metrics/metric.h"
#include "stl/models/registry.h"
#include "stl/run/experiment.h"
#include "tools/stl/command.h"

namespace stl::tools {
namespace {

Json translators_json() {
    Json list = Json::array();
    const auto defaults = SimVPOptions{}.to_json();
    for (const auto& member : translators()) {
        if (member.for_tests) continue;
        Json options = Json::object();
        for (const auto& key : member.keys) options[key] = defaults.at(key);
        list.push_back({{"name", member.name},
                        {"aliases", member.aliases},
                        {"help", member.help},
                        {"paper", member.paper},
                        {"options", options}});
    }
    return list;
}

/// Members of any registry that have a name and a help line.
template <class Members>
Json named(const Members& members) {
    Json list = Json::array();
    for (const auto& member : members) list.push_back({{"name", member.name}, {"help", member.help}});
    return list;
}

Json metrics_json() {
    Json list = Json::array();
    for (const auto& metric : metric_list()) {
        list.push_back({{"name", metric.title},
                        {"help", metric.help},
                        {"key", metric.key},
                        {"better", metric.better == Better::smaller ? "smaller" : "larger"}});
    }
    return list;
}

Json datasets_json() {
    Json list = named(datasets());
    for (auto& set : list) {
        auto& options = set["options"] = Json::object();
        for (const auto& key : find_dataset(set["name"].get<std::string>(), "").keys.list())
            options[key.name] = key.by_default;
    }
    return list;
}

Json formats_json() {
    Json list = Json::array();
    for (const auto& format : sequence_formats())
        list.push_back(
            {{"name", format.name}, {"help", abilities(format)}, {"extensions", format.extensions}});
    return list;
}

Json keys_json(const std::vector<OptionInfo>& keys) {
    Json list = Json::array();
    for (const auto& key : keys) {
        list.push_back({{"name", key.name},
                        {"default", key.by_default},
                        {"expected", key.expected},
                        {"meaning", key.meaning}});
    }
    return list;
}

Json everything() {
    return {{"translators", translators_json()},
            {"datasets", datasets_json()},
            {"optimizers", named(optimizers())},
            {"schedules", named(schedules())},
            {"metrics", metrics_json()},
            {"sequence_files", formats_json()},
            {"keys",
             {{"dataset", keys_json(list_options<DatasetOptions>())},
              {"model", keys_json(list_options<SimVPOptions>())},
              {"train", keys_json(list_options<TrainOptions>())}}}};
}

std::string options_line(const Json& member) {
    std::vector<std::string> texts;
    for (const auto& [key, value] : member["options"].items())
        texts.push_back(value.is_null() ? key : key + " " + value.dump());
    auto line = fmt::format("options (default): {}", fmt::join(texts, ", "));
    if (member.contains("aliases") && !member["aliases"].empty()) {
        line += fmt::format("; also {}", fmt::join(member["aliases"].get<std::vector<std::string>>(), ", "));
    }
    return line;
}

void print_group(const std::string& title, const Json& members, Console& console) {
    console.print(title);
    for (const auto& member : members) {
        const auto name = member["name"].get<std::string>(), help = member["help"].get<std::string>();
        const auto paper = member.value("paper", std::string());
        console.print(fmt::format("  {:<13} {}{}", name, help, paper.empty() ? "" : " (" + paper + ")"));
        if (member.contains("options")) console.print(fmt::format("  {:<13}   {}", "", options_line(member)));
    }
}

void print_keys(const std::string& object, const Json& keys, Console& console) {
    console.print(fmt::format("keys of {0} ({0}.KEY): default, meaning, values", object));
    for (const auto& key : keys) {
        const auto& by_default = key["default"];
        const auto expected = key["expected"].get<std::string>();
        console.print(fmt::format("  {:<23} {:<12} {}{}", key["name"].get<std::string>(),
                                  by_default.is_null() ? "" : by_default.dump(),
                                  key["meaning"].get<std::string>(),
                                  expected.empty() ? "" : " (" + expected + ")"));
    }
}

void run_list(bool json, Console& console) {
    const auto all = everything();
    if (json) {
        console.print(all);
        return;
    }
    print_group("translators (model.translator)", all["translators"], console);
    console.print(
        "  All of them also take hid_S, N_S, spatio_kernel_enc and spatio_kernel_dec of the encoder and "
        "decoder.");
    print_group("data sets (dataset.name)", all["datasets"], console);
    print_group("optimizers (train.optimizer)", all["optimizers"], console);
    print_group("schedules (train.schedule)", all["schedules"], console);
    print_group("metrics (docs/metrics.md)", all["metrics"], console);
    print_group("sequence files (docs/files.md)", all["sequence_files"], console);
    for (const auto& [object, keys] : all["keys"].items()) print_keys(object, keys, console);
}

}  // namespace

void add_list(CLI::App& app, Console& console) {
    auto json = std::make_shared<bool>(false);
    auto* command =
        app.add_subcommand("list",
                           "List translators, data sets, optimizers, schedules, metrics, sequence "
                           "file formats, and the keys of experiments");
    command->add_flag("--json", *json, "print JSON")->group("Output");
    command->callback([json, &console] { run_list(*json, console); });
}

}  // namespace stl::tools
