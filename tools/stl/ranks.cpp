#include "tools/stl/ranks.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "stl/core/error.h"
#include "stl/core/file.h"
#include "stl/runtime/error_line.h"
#include "tools/stl/checks.h"

namespace stl::tools {
namespace {

constexpr const char* devices_flag = "--devices";
/// As a shell has it of a command that it does not find.
constexpr int not_started = 127;

/// What the environment says already stays.
void set_default(const char* variable, const char* value) {
    ::setenv(variable, value, /*overwrite=*/0);
}

/// In the child: becomes mpirun, apart from the terminal, whose Ctrl-C the parent passes on.
[[noreturn]] void become(std::vector<std::string>& words) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv.front(), argv.data());
    ::_exit(not_started);
}

/// Runs this program's command again under mpirun; its exit status.
int run_under_mpirun(int devices, const std::vector<std::string>& arguments) {
    if (mpi_transport_file().empty()) {
        fail("{} {}: this program was built without MPI (apt-get install libopenmpi-dev, then build again)",
             devices_flag, devices);
    }
    // A container's root is nobody else's.
    if (::geteuid() == 0) {
        set_default("OMPI_ALLOW_RUN_AS_ROOT", "1");
        set_default("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    std::vector<std::string> words{
        "mpirun",          "--quiet",   "-np",  std::to_string(devices),
        "--oversubscribe", "--bind-to", "none", fs::read_symlink("/proc/self/exe").string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const pid_t child = ::fork();
    if (child < 0)
        fail_call(errno, "{} {}: no process can be started ({})", devices_flag, devices,
                  std::strerror(errno));
    if (child == 0) become(words);
    int status = 0;
    bool told = false;
    while (::waitpid(child, &status, 0) != child) {
        // mpirun would end the ranks on the signals that it gets itself; this one it passes on, and they stop, saved.
        if (interrupted() && !std::exchange(told, true)) ::kill(child, SIGUSR1);
    }
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code == not_started)
        fail("{} {}: mpirun cannot be started; apt-get install openmpi-bin", devices_flag, devices);
    return code;
}

}  // namespace

void add_rank_options(CLI::App& command, RankOptions& options) {
    command
        .add_option(devices_flag, options.devices,
                    "compute on so many devices of this machine, a process each (mpirun, srun and others "
                    "start them on "
                    "several machines: docs/scaling.md)")
        ->group("Compute")
        ->check(CLI::Range(1, 4096));
    command
        .add_option("--rank-timeout", options.patience,
                    "with several processes: stop when one has not answered for so many seconds")
        ->group("Compute")
        ->check(positive)
        ->capture_default_str();
}

void with_ranks(const RankOptions& options, Console& console, const std::function<void(Group* group)>& work) {
    const auto world = world_from_environment();
    if (world.alone()) {
        // The ranks have said all that there is to say.
        if (options.devices > 1) std::exit(run_under_mpirun(options.devices, console.arguments()));
        return work(nullptr);
    }
    const bool leads = world.rank == 0;
    console.set_silent(!leads);
    if (options.devices > 0 && options.devices != world.size) {
        throw UsageError(fmt::format("--devices {}: {} has started {} processes; leave it out",
                                     options.devices, world.launcher, world.size));
    }
    set_default("OMP_NUM_THREADS", std::to_string(threads_per_rank(world)).c_str());
    std::unique_ptr<Group> group;
    try {
        group = std::make_unique<Group>(world, GroupOptions{.patience = options.patience});
    } catch (const std::exception& error) {
        // A launcher without MPI is the same for all, and rank 0 says so.
        if (leads || !world.speaks_mpi) throw;
        console.set_silent(false);
        fail("{}: {}", world.name(), error.what());
    }
    try {
        work(group.get());
        group->close();
    } catch (const Interrupted&) {
        group->close();  // all ranks stop together
        throw;
    } catch (const std::exception& error) {
        if (group->failed_together()) {
            group->close();
            throw;
        }
        console.progress_end();
        console.set_silent(false);
        console.error(fmt::format("{}: {}", group->name_of(group->rank()), error_line(error)));
        group->abort(1);
    }
}

}  // namespace stl::tools
