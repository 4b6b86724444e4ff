// stl verify: whether files and runs are what they were when they were written.

#include "stl/verify/verify.h"

#include "stl/core/error.h"
#include "tools/stl/command.h"

namespace stl::tools {
namespace {

struct VerifyArguments {
    std::vector<std::string> paths;
    bool json = false;
};

void print_verdict(const Verdict& verdict, Console& console) {
    auto line = fmt::format("{:<10} {}: {}", name_of(verdict.condition), verdict.file.string(), verdict.text);
    if (!verdict.usable.empty()) line += "; " + verdict.usable;
    console.print(line);
}

void run_verify(const VerifyArguments& a, Console& console) {
    std::vector<Verdict> all;
    for (const auto& path : a.paths) {
        for (auto& verdict : verify(path, console, interrupted)) {
            if (!a.json) print_verdict(verdict, console);
            all.push_back(std::move(verdict));
        }
    }
    if (a.json) {
        auto list = Json::array();
        for (const auto& verdict : all) list.push_back(verdict.to_json());
        console.print(list);
    }
    console.flush();
    const auto damaged = std::ranges::count(all, Condition::damaged, &Verdict::condition);
    if (damaged > 0) fail("{} of {} damaged", damaged, counted(std::ssize(all), "file"));
}

}  // namespace

void add_verify(CLI::App& app, Console& console) {
    auto arguments = std::make_shared<VerifyArguments>();
    auto& a = *arguments;
    auto* command = app.add_subcommand("verify", "Check files and runs completely for damage");
    command
        ->add_option(
            "PATH", a.paths,
            "run folders, checkpoints, files of sequences (.h5 .npy .npz), metrics.jsonl, TensorBoard "
            "events, PNG")
        ->required();
    begin_group(*command, "Output");
    command->add_flag("--json", a.json, "print JSON");
    add_examples(*command, {"stl verify runs/mmnist-gsta", "stl verify data.h5 model.safetensors"});
    command->callback([arguments, &console] { run_verify(*arguments, console); });
}

}  // namespace stl::tools
