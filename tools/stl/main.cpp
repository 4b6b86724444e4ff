// The command line: a visible list of subcommands and the one place where errors become a line and an exit
// status.

#include <algorithm>
#include <sstream>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/formats/hdf5_locks.h"
#include "stl/run/settings.h"
#include "stl/runtime/error_line.h"
#include "stl/runtime/tensor_memory.h"
#include "tools/stl/command.h"
#include "tools/stl/crash.h"

namespace stl::tools {

// Each stands in tools/<name>.cpp.
void add_generate(CLI::App& app, Console& console);
void add_import(CLI::App& app, Console& console);
void add_inspect(CLI::App& app, Console& console);
void add_train(CLI::App& app, Console& console);
void add_evaluate(CLI::App& app, Console& console);
void add_predict(CLI::App& app, Console& console);
void add_metrics(CLI::App& app, Console& console);
void add_render(CLI::App& app, Console& console);
void add_report(CLI::App& app, Console& console);
void add_convert(CLI::App& app, Console& console);
void add_export(CLI::App& app, Console& console);
void add_verify(CLI::App& app, Console& console);
void add_info(CLI::App& app, Console& console);
void add_list(CLI::App& app, Console& console);
void add_bench(CLI::App& app, Console& console);
void add_doctor(CLI::App& app, Console& console);
void add_completions(CLI::App& app, Console& console);
void add_manual(CLI::App& app, Console& console);

}  // namespace stl::tools

namespace {

// One line a subcommand, in the order of --help.
const std::vector<stl::tools::AddCommand> commands{
    stl::tools::add_generate,    stl::tools::add_import,  stl::tools::add_inspect, stl::tools::add_train,
    stl::tools::add_evaluate,    stl::tools::add_predict, stl::tools::add_metrics, stl::tools::add_render,
    stl::tools::add_report,      stl::tools::add_convert, stl::tools::add_export,  stl::tools::add_verify,
    stl::tools::add_info,        stl::tools::add_list,    stl::tools::add_bench,   stl::tools::add_doctor,
    stl::tools::add_completions, stl::tools::add_manual,
};

/// "--run" and "-h" of an option that has both.
std::vector<std::string> option_names(const CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        for (const auto& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

/// "stl import and stl render have it"; empty where no subcommand does.
std::string owners(const CLI::App& app, const std::string& option) {
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands({})) {
        if (command->get_option_no_throw(option) != nullptr) names.push_back("stl " + command->get_name());
    }
    if (names.empty()) return "";
    return fmt::format("{} {} it", stl::listed(names, "and"), names.size() == 1 ? "has" : "have");
}

/// What helps on from an option that the command does not have: the setting of that name, a near option, the
/// subcommands that have it.
std::string option_hint(const CLI::App& app, const CLI::App& command, const std::string& option,
                        const std::string& value) {
    const auto name = option.substr(std::min<std::size_t>(option.find_first_not_of('-'), option.size()));
    if (command.get_option_no_throw("--set") != nullptr) {
        if (const auto key = stl::setting_key(name); !key.empty())
            return fmt::format("give it as --set {}={}", key, value.empty() ? "VALUE" : value);
    }
    // Of short options any is near to any.
    if (option.starts_with("--")) {
        auto names = option_names(command);
        std::erase_if(names, [](const std::string& known) { return !known.starts_with("--"); });
        for (auto& known : names) known.erase(0, 2);
        if (const auto nearest = stl::nearest_name(name, names); !nearest.empty())
            return fmt::format("did you mean '--{}'?", nearest);
    }
    if (const auto others = owners(app, option); !others.empty()) return others;
    return "--help lists them";
}

/// following: the argument after it, its value if it is none itself.
[[noreturn]] void refuse_option(const CLI::App& app, const CLI::App& command, const std::string& argument,
                                const std::string& following = "") {
    const auto equals = argument.find('=');
    const auto name = argument.substr(0, equals);
    auto value = equals == std::string::npos ? following : argument.substr(equals + 1);
    if (equals == std::string::npos && value.starts_with("-")) value.clear();
    throw stl::UsageError(
        fmt::format("unknown option '{}' ({})", name, option_hint(app, command, name, value)));
}

/// CLI11 says of a mistyped subcommand, or of an option before it, only that a subcommand is required.
void refuse_unknown_start(const CLI::App& app, const std::vector<std::string>& arguments) {
    if (arguments.empty()) return;
    const auto& first = arguments.front();
    const bool is_option = first.starts_with("-");
    auto names = option_names(app);
    if (!is_option) {
        names.clear();
        for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
    }
    if (std::ranges::find(names, first) != names.end()) return;
    if (is_option) refuse_option(app, app, first);
    throw stl::UsageError(fmt::format("unknown subcommand '{}'{}", first, stl::did_you_mean(first, names)));
}

/// Of arguments that the chosen subcommand has no place for.
[[noreturn]] void refuse_extras(const CLI::App& app, const CLI::ExtrasError& error,
                                const std::vector<std::string>& arguments) {
    for (const auto* command : app.get_subcommands()) {
        const auto extras = command->remaining();
        if (extras.empty()) continue;
        const auto& first = extras.front();
        if (first.size() > 1 && first.front() == '-') {
            const auto place = std::ranges::find(arguments, first);
            const bool last = arguments.end() - place < 2;
            refuse_option(app, *command, first, last ? "" : *(place + 1));
        }
        const auto* settings = command->get_option_no_throw("--set");
        if (settings != nullptr && settings->count() > 0 && first.find('=') != std::string::npos) {
            throw stl::UsageError(fmt::format(
                "unexpected argument '{}' (--set takes one KEY=VALUE; repeat it: --set {})", first, first));
        }
        throw stl::UsageError(fmt::format("unexpected argument '{}'", first));
    }
    throw stl::UsageError(error.what());
}

/// What CLI11 says of a value that is not a number, in the words of our own checks: "--threads: 'two', expected a
/// number from 0 to 4096".
std::string reason_of(const CLI::App& app, const CLI::ParseError& error) {
    const std::string text = error.what();
    constexpr std::string_view unconverted = "Could not convert: ";
    constexpr std::string_view before = ": Value ";
    constexpr std::string_view range = " not in range ";
    if (const auto equals = text.find(" = "); text.starts_with(unconverted) && equals != text.npos) {
        const auto name = text.substr(unconverted.size(), equals - unconverted.size());
        const bool whole = std::ranges::any_of(app.get_subcommands(), [&](const CLI::App* command) {
            const auto* option = command->get_option_no_throw(name);
            const auto type = option != nullptr ? option->get_type_name() : std::string();
            return type.starts_with("INT") || type.starts_with("UINT");
        });
        return fmt::format("{}: '{}', expected a {}number", name, text.substr(equals + 3),
                           whole ? "whole " : "");
    }
    const auto value = text.find(before);
    const auto limits = text.rfind(range);
    if (value == text.npos || limits == text.npos || limits < value) return text;
    const auto given = text.substr(value + before.size(), limits - value - before.size());
    double number = 0;
    if (CLI::detail::lexical_cast(given, number)) return text;
    return fmt::format("{}: '{}', expected a number from {}", text.substr(0, value), given,
                       text.substr(limits + range.size()));
}

/// What `stl` alone shows: the subcommands and where to begin.
void print_overview(const CLI::App& app, stl::tools::Console& console) {
    console.print(app.get_description() + "\n\nSubcommands (stl SUBCOMMAND --help shows the options):");
    for (const auto* command : app.get_subcommands({})) {
        if (command->get_group().empty()) continue;
        console.print(fmt::format("  {:<10}{}", command->get_name(), command->get_description()));
    }
    console.print(
        "\nFirst commands:\n"
        "  stl doctor                                                 check what this machine offers and "
        "lacks\n"
        "  stl import clips/ --size 64x64 --length 20 --output c.h5   convert videos to a sequence file\n"
        "  stl train --data c.h5                                      a network for them into runs/c");
    console.flush();
}

int run(int argc, char** argv, stl::tools::Console& console) {
    CLI::App app("stl: learns to predict the next frames of videos", "stl");
    app.set_version_flag("--version", "stl " + stl::version_and_revision());
    app.require_subcommand(1);
    for (const auto add : commands) add(app, console);
    console.set_arguments({argv + std::min(argc, 1), argv + argc});
    stl::tools::watch_crashes(stl::tools::command_line(console.arguments()));
    if (console.arguments().empty()) {
        print_overview(app, console);
        return 0;
    }
    refuse_unknown_start(app, console.arguments());
    try {
        app.parse(argc, argv);
    } catch (const CLI::ExtrasError& error) {
        refuse_extras(app, error, console.arguments());
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() != 0) throw stl::UsageError(reason_of(app, error));
        std::ostringstream text;  // of --help or --version
        app.exit(error, text, text);
        auto shown = text.str();
        if (shown.ends_with('\n')) shown.pop_back();
        console.print(shown);
    }
    console.flush();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    stl::keep_freed_memory();
    stl::leave_hdf5_files_unlocked();
    stl::tools::hold_standard_streams();
    stl::tools::Console console;
    stl::tools::watch_interrupts();
    try {
        return run(argc, argv, console);
    } catch (const stl::Interrupted& error) {
        console.error(error.what());
        return 130;
    } catch (const stl::UsageError& error) {
        console.error(error.what());
        return 2;
    } catch (const std::exception& error) {
        console.error(stl::error_line(error));
    }
    return 1;
}
