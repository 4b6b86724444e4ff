// The command line: a visible list of subcommands and the one place where errors become a line and an exit
// status.

#include <algorithm>
#include <new>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/runtime/device.h"
#include "stl/runtime/torch.h"
#include "tools/command.h"

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

/// CLI11 says of a mistyped subcommand only that one is required.
void refuse_unknown_subcommand(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return;
    std::vector<std::string> names;
    for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
    if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return;
    throw stl::UsageError(
        fmt::format("unknown subcommand '{}'{}", argv[1], stl::did_you_mean(argv[1], names)));
}

int run(int argc, char** argv, stl::tools::Console& console) {
    CLI::App app("stl: learns to predict the next frames of videos", "stl");
    app.set_version_flag("--version", "stl " + stl::version() + " (" + stl::revision() + ")");
    app.require_subcommand(1);
    for (const auto add : commands) add(app, console);
    refuse_unknown_subcommand(app, argc, argv);
    try {
        app.parse(argc, argv);
        return 0;
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
        console.error(error.what());
        return 2;
    }
}

}  // namespace

int main(int argc, char** argv) {
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
    } catch (const std::bad_alloc&) {
        console.error("out of memory");
    } catch (const c10::Error& error) {
        console.error(first_line(error.what_without_backtrace()));
    } catch (const std::exception& error) {
        console.error(first_line(error.what()));
    }
    return 1;
}
