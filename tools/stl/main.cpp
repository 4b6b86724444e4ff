// The command line: a visible list of subcommands and the one place where errors become a line and an exit
// status.

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/runtime/device.h"
#include "stl/runtime/tensor_memory.h"
#include "stl/runtime/torch.h"
#include "tools/stl/command.h"

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
void add_info(CLI::App& app, Console& console);
void add_list(CLI::App& app, Console& console);
void add_bench(CLI::App& app, Console& console);
void add_doctor(CLI::App& app, Console& console);

}  // namespace stl::tools

namespace {

// One line a subcommand, in the order of --help.
const std::vector<stl::tools::AddCommand> commands{
    stl::tools::add_generate, stl::tools::add_import,  stl::tools::add_inspect, stl::tools::add_train,
    stl::tools::add_evaluate, stl::tools::add_predict, stl::tools::add_metrics, stl::tools::add_render,
    stl::tools::add_report,   stl::tools::add_convert, stl::tools::add_info,    stl::tools::add_list,
    stl::tools::add_bench,    stl::tools::add_doctor,
};

/// LibTorch's messages carry a stack trace after the first line.
std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

/// "a/b.json: permission denied"
std::string told(const std::filesystem::filesystem_error& error) {
    auto reason = error.code().message();
    reason.replace(0, 1, stl::lower_case(reason.substr(0, 1)));
    return error.path1().empty() ? reason : error.path1().string() + ": " + reason;
}

/// "--run" and "-h" of an option that has both.
std::vector<std::string> option_names(const CLI::App& command) {
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        for (const auto& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

[[noreturn]] void refuse_option(const CLI::App& command, const std::string& argument) {
    const auto name = argument.substr(0, argument.find('='));
    // Of short options any is near to any.
    const auto nearest = name.size() > 2 ? stl::nearest_name(name, option_names(command)) : std::string();
    const auto hint =
        nearest.empty() ? " (--help lists them)" : fmt::format(" (did you mean '{}'?)", nearest);
    throw stl::UsageError(fmt::format("unknown option '{}'{}", name, hint));
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
    if (is_option) refuse_option(app, first);
    throw stl::UsageError(fmt::format("unknown subcommand '{}'{}", first, stl::did_you_mean(first, names)));
}

/// Of arguments that the chosen subcommand has no place for.
[[noreturn]] void refuse_extras(const CLI::App& app, const CLI::ExtrasError& error) {
    for (const auto* command : app.get_subcommands()) {
        const auto extras = command->remaining();
        if (extras.empty()) continue;
        const auto& first = extras.front();
        if (first.size() > 1 && first.front() == '-') refuse_option(*command, first);
        const auto* settings = command->get_option_no_throw("--set");
        if (settings != nullptr && settings->count() > 0 && first.find('=') != std::string::npos) {
            throw stl::UsageError(fmt::format(
                "unexpected argument '{}' (--set takes one KEY=VALUE; repeat it: --set {})", first, first));
        }
        throw stl::UsageError(fmt::format("unexpected argument '{}'", first));
    }
    throw stl::UsageError(error.what());
}

int run(int argc, char** argv, stl::tools::Console& console) {
    CLI::App app("stl: learns to predict the next frames of videos", "stl");
    app.set_version_flag("--version", "stl " + stl::version_and_revision());
    app.require_subcommand(1);
    for (const auto add : commands) add(app, console);
    console.set_arguments({argv + std::min(argc, 1), argv + argc});
    refuse_unknown_start(app, console.arguments());
    try {
        app.parse(argc, argv);
    } catch (const CLI::ExtrasError& error) {
        refuse_extras(app, error);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() != 0) throw stl::UsageError(error.what());
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
    } catch (const stl::Error& error) {
        console.error(error.what());
    } catch (const std::filesystem::filesystem_error& error) {
        console.error(told(error));
    } catch (const c10::Error& error) {
        console.error(stl::is_out_of_memory(error) ? "out of memory"
                                                   : first_line(error.what_without_backtrace()));
    } catch (const std::exception& error) {
        console.error(stl::is_out_of_memory(error) ? "out of memory" : first_line(error.what()));
    }
    return 1;
}
