#include "stl/distributed/group.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <numeric>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include "stl/core/clock.h"
#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/json.h"
#include "stl/core/locate.h"
#include "stl/core/names.h"
#include "stl/distributed/transport.h"
#include "stl/runtime/error_line.h"

namespace stl {
namespace {

using distributed::TransportOptions;

constexpr const char* library_name = "libstl_mpi.so";
/// How many times its patience a group waits for a rank that has announced something slow.
constexpr double slow_factor = 10;

/// The library stays open until the program ends: threads of the transport may run until then.
const distributed::TransportTable& transport() {
    const auto file = mpi_transport_file();
    if (file.empty()) {
        fail(
            "{} is missing, without which ranks cannot talk to each other (it is built where MPI is: apt-get "
            "install "
            "libopenmpi-dev)",
            library_name);
    }
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) fail("{}: cannot be opened ({})", file.string(), ::dlerror());
    const auto entry =
        reinterpret_cast<distributed::TransportEntry>(::dlsym(library, distributed::transport_entry));
    if (entry == nullptr) fail("{}: has no {}", file.string(), distributed::transport_entry);
    const auto* table = entry();
    if (table->version != distributed::transport_version) {
        fail("{}: has a different version ({}, expected {})", file.string(), table->version,
             distributed::transport_version);
    }
    return *table;
}

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
    return name.data();
}

/// A rank's last note, as a file has it.
struct Note {
    bool known = false;
    std::int64_t number = 0;  ///< of its notes
    bool slow = false;
    bool waits = false;  ///< for other ranks
    std::string what;
};

}  // namespace

fs::path mpi_transport_file() {
    return locate_library(library_name);
}

class Group::Impl {
  public:
    Impl(World world, const GroupOptions& options) : world_(std::move(world)), options_(options) {
        if (!world_.speaks_mpi) {
            fail(
                "{} does not set up MPI, by which ranks on CPUs talk to each other; start them with: mpirun "
                "-np {} stl "
                "...",
                world_.launcher, world_.size);
        }
        backend_ = transport().open({.waiting = [this](double seconds) { waiting(seconds); }});
        if (backend_->getRank() != world_.rank || backend_->getSize() != world_.size) {
            const auto problem = fmt::format(
                "MPI says rank {} of {}, the environment of {} says {}: the program uses another MPI than "
                "the launcher",
                backend_->getRank(), backend_->getSize(), world_.launcher, world_.name());
            backend_->shutdown();
            throw Error(problem);
        }
        engine_ = c10::make_intrusive<c10d::ProcessGroup>(world_.rank, world_.size);
        engine_->setBackend(torch::kCPU, c10d::ProcessGroup::BackendType::MPI, backend_);
        engine_->setDefaultBackend(c10d::ProcessGroup::BackendType::MPI);
        hosts_ = gather(host_name());
    }

    ~Impl() {
        if (!closed_) backend_->abort();
        if (notes_ >= 0) ::close(notes_);
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    std::vector<std::string> gather(const std::string& bytes) const {
        const auto ranks = static_cast<std::int64_t>(world_.size);
        auto sizes = torch::zeros({ranks}, torch::kInt64);
        auto own_size = torch::tensor({static_cast<std::int64_t>(bytes.size())}, torch::kInt64);
        backend_->_allgather_base(sizes, own_size)->wait();
        const auto longest = std::max<std::int64_t>(1, sizes.max().item<std::int64_t>());
        auto own = torch::zeros({longest}, torch::kUInt8);
        std::copy(bytes.begin(), bytes.end(), own.data_ptr<std::uint8_t>());
        auto all = torch::zeros({ranks * longest}, torch::kUInt8);
        backend_->_allgather_base(all, own)->wait();
        std::vector<std::string> result;
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
            const auto* begin = all.data_ptr<std::uint8_t>() + rank * longest;
            result.emplace_back(begin, begin + sizes[rank].item<std::int64_t>());
        }
        return result;
    }

    [[noreturn]] void fail_together(const std::string& line) {
        failed_together_ = true;
        throw Error(line);
    }

    void together(const std::function<void()>& work) {
        std::string problem;
        std::exception_ptr own;
        try {
            work();
        } catch (const std::exception& error) {
            own = std::current_exception();
            problem = error_line(error);
            if (problem.empty()) problem = "unknown error";
        }
        const auto all = gather(problem);
        const auto first = std::ranges::find_if(all, [](const std::string& one) { return !one.empty(); });
        if (first == all.end()) return;
        if (std::ranges::count(all, *first) == world_.size) {
            failed_together_ = true;
            std::rethrow_exception(own);
        }
        // Rank 0 is the one that the user sees, and alone looks at what it alone writes.
        const auto rank = static_cast<int>(first - all.begin());
        fail_together(rank == 0 ? *first : fmt::format("{}: {}", name_of(rank), *first));
    }

    void require_same(std::string_view what, const std::string& mine) {
        const auto all = gather(mine);
        for (int rank = 1; rank < world_.size; ++rank) {
            const auto& other = all[static_cast<std::size_t>(rank)];
            if (other == all.front()) continue;
            fail_together(fmt::format("{}: its {} differ from those of rank 0 ({}, rank 0: {})",
                                      name_of(rank), what, shortened(other, all.front()),
                                      shortened(all.front(), other)));
        }
    }

    void require_same(std::string_view what, const std::vector<torch::Tensor>& mine) {
        std::uint32_t digest = 0;
        for (const auto& tensor : mine) {
            const auto values = tensor.detach().cpu().contiguous();
            digest = crc32c(
                std::span(static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()), digest);
        }
        const auto all = gather(crc_text(digest));
        std::map<std::string, int> counts;
        for (const auto& one : all) ++counts[one];
        if (counts.size() == 1) return;
        // Of equally many, rank 0's.
        auto usual = all.front();
        for (const auto& [one, count] : counts) {
            if (count > counts[usual]) usual = one;
        }
        std::vector<std::string> others;
        for (int rank = 0; rank < world_.size; ++rank) {
            if (all[static_cast<std::size_t>(rank)] != usual) others.push_back(name_of(rank));
        }
        fail_together(
            fmt::format("{} of {} differ from those of the other ranks (memory, or a program that is not the "
                        "same on all hosts)",
                        what, listed(others, "and")));
    }

    std::string name_of(int rank) const {
        const auto& host = static_cast<std::size_t>(rank) < hosts_.size()
                               ? hosts_[static_cast<std::size_t>(rank)]
                               : std::string("unknown");
        return fmt::format("rank {} on host {}", rank, host);
    }

    void keep_notes(const fs::path& folder) {
        const std::lock_guard lock(mutex_);
        remove_notes();
        folder_ = folder;
        if (notes_ >= 0) ::close(notes_);
        notes_ = ::open((folder / std::to_string(world_.rank)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    }

    void note(const std::string& what, bool slow) {
        const std::lock_guard lock(mutex_);
        ++noted_;
        noted_slow_ = slow;
        noted_what_ = what;
        write_note(slow ? slow_state : "-");
    }

    /// The ranks' processes end without a word to this one's destructors.
    [[noreturn]] void abort(int status) {
        backend_->abort();
        std::_Exit(status);
    }

    void close() {
        backend_->barrier()->wait();
        backend_->shutdown();
        closed_ = true;
        remove_notes();
    }

    World world_;
    GroupOptions options_;
    c10::intrusive_ptr<c10d::Backend> backend_;
    c10::intrusive_ptr<c10d::ProcessGroup> engine_;
    std::vector<std::string> hosts_;
    bool failed_together_ = false;

  private:
    static constexpr std::size_t note_size = 256;
    static constexpr const char *slow_state = "slow", *waiting_state = "waits";

    void write_note(const char* state) const {
        if (notes_ < 0) return;
        // Of one size, so that each replaces the one before as a whole.
        auto line = fmt::format("{} {} {}, process {}: {}", noted_, state, name_of(world_.rank), ::getpid(),
                                noted_what_);
        line.resize(note_size - 1, ' ');
        line += '\n';
        [[maybe_unused]] const auto written = ::pwrite(notes_, line.data(), line.size(), 0);
    }

    /// From where the two begin to differ.
    static std::string shortened(const std::string& text, const std::string& other) {
        constexpr std::size_t longest = 60;
        const auto differs = static_cast<std::size_t>(std::ranges::mismatch(text, other).in1 - text.begin());
        const auto begin = differs > longest / 2 ? differs - longest / 2 : 0;
        const auto part = text.substr(begin, longest);
        return (begin > 0 ? "..." : "") + part + (begin + longest < text.size() ? "..." : "");
    }

    void remove_notes() const {
        std::error_code ignored;
        if (world_.rank == 0 && !folder_.empty()) fs::remove_all(folder_, ignored);
    }

    Note read_note(int rank) const {
        const auto file = folder_ / std::to_string(rank);
        std::array<char, note_size> text{};
        const int open = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        if (open < 0) return {};
        const auto size = ::read(open, text.data(), text.size());
        ::close(open);
        if (size <= 0) return {};
        const std::string line(text.data(), static_cast<std::size_t>(size));
        const auto first = line.find(' '), second = line.find(' ', first + 1);
        if (first == line.npos || second == line.npos) return {};
        Note note;
        note.known = true;
        const auto state = line.substr(first + 1, second - first - 1);
        note.slow = state == slow_state;
        note.waits = state == waiting_state;
        note.number = std::atoll(line.c_str());
        note.what = line.substr(second + 1);
        note.what.erase(note.what.find_last_not_of(" \n") + 1);
        return note;
    }

    /// On the transport's thread.
    void waiting(double seconds) {
        const std::lock_guard lock(mutex_);
        write_note(noted_slow_ ? slow_state : waiting_state);
        // Rank 0 tells it, unless it is the one that hangs.
        const double patience = options_.patience + std::min(world_.rank, 5);
        if (seconds < patience) return;
        if (folder_.empty()) {
            if (seconds < slow_factor * patience) return;
            fail("no answer from the other ranks for {:.0f} s", seconds);
        }
        std::vector<std::string> missing, others;
        bool slow = false;
        for (int rank = 0; rank < world_.size; ++rank) {
            const auto note = read_note(rank);
            const auto line = note.known ? note.what : name_of(rank) + " (what it did is not known)";
            slow = slow || (note.slow && note.number <= noted_);
            if (rank != world_.rank) others.push_back(line);
            if (!note.known || note.number < noted_ ||
                (note.number == noted_ && !note.waits && rank != world_.rank))
                missing.push_back(line);
        }
        if (slow && seconds < slow_factor * patience) return;
        // All wait: one of them hangs in the operation itself.
        fail("no answer for {:.0f} s; last heard of: {}", seconds,
             fmt::join(missing.empty() ? others : missing, "; "));
    }

    mutable std::mutex mutex_;
    fs::path folder_;
    int notes_ = -1;
    std::int64_t noted_ = 0;
    bool noted_slow_ = false;
    std::string noted_what_;
    bool closed_ = false;
};

Group::Group(const World& world, const GroupOptions& options)
    : impl_(std::make_unique<Impl>(world, options)) {}
Group::~Group() = default;

const World& Group::world() const {
    return impl_->world_;
}
std::string Group::name_of(int rank) const {
    return impl_->name_of(rank);
}
const std::vector<std::string>& Group::hosts() const {
    return impl_->hosts_;
}
const c10::intrusive_ptr<c10d::ProcessGroup>& Group::engine() const {
    return impl_->engine_;
}
bool Group::failed_together() const {
    return impl_->failed_together_;
}

void Group::sum(torch::Tensor x) const {
    std::vector<torch::Tensor> tensors{std::move(x)};
    impl_->backend_->allreduce(tensors)->wait();
}

double Group::mean(double value) const {
    const auto total = torch::tensor({value}, torch::kFloat64);
    sum(total);
    return total.item<double>() / size();
}

double Group::total(double value) const {
    double sum = 0;
    for (const auto& one : gather(std::vector{value})) sum += one.front();
    return sum;
}

bool Group::any(bool value) const {
    const auto count = torch::tensor({value ? std::int64_t{1} : std::int64_t{0}}, torch::kInt64);
    sum(count);
    return count.item<std::int64_t>() > 0;
}

void Group::broadcast(const std::vector<torch::Tensor>& tensors) const {
    if (tensors.empty()) return;
    const torch::NoGradGuard no_grad;
    constexpr std::size_t at_once = std::size_t{25} << 20;
    // By type, since one buffer carries many.
    std::map<torch::ScalarType, std::vector<torch::Tensor>> by_type;
    for (const auto& tensor : tensors) by_type[tensor.scalar_type()].push_back(tensor.detach());
    for (const auto& [type, same] : by_type) c10d::broadcast_coalesced(impl_->engine_, same, at_once);
}

std::string Group::broadcast(const std::string& text) const {
    return gather(leads() ? text : std::string()).front();
}

std::vector<std::string> Group::gather(const std::string& bytes) const {
    return impl_->gather(bytes);
}

std::vector<std::vector<double>> Group::gather(const std::vector<double>& numbers) const {
    const auto* bytes = reinterpret_cast<const char*>(numbers.data());
    std::vector<std::vector<double>> all;
    for (const auto& one : gather(std::string(bytes, numbers.size() * sizeof(double)))) {
        auto& list = all.emplace_back(one.size() / sizeof(double));
        std::memcpy(list.data(), one.data(), one.size());
    }
    return all;
}

void Group::together(const std::function<void()>& work) {
    impl_->together(work);
}
void Group::require_same(std::string_view what, const std::string& mine) {
    impl_->require_same(what, mine);
}
void Group::require_same(std::string_view what, const std::vector<torch::Tensor>& mine) {
    impl_->require_same(what, mine);
}
void Group::keep_notes(const fs::path& folder) {
    impl_->keep_notes(folder);
}
void Group::note(const std::string& what, bool slow) {
    impl_->note(what, slow);
}
void Group::close() {
    impl_->close();
}
void Group::abort(int status) {
    impl_->abort(status);
}

void together(Group* group, const std::function<void()>& work) {
    if (group != nullptr) return group->together(work);
    work();
}

}  // namespace stl
