#include "stl/core/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "stl/core/descriptor.h"
#include "stl/core/error.h"
#include "stl/core/json.h"

namespace stl {
namespace {

constexpr std::chrono::seconds between_signs{10};
/// After as long without a sign an owner elsewhere is taken for dead.
constexpr std::time_t longest_silence = 60;

/// When a file was written to or touched, by the clock of its file system.
std::time_t touched_at(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_mtime : std::time(nullptr);
}

std::string first_line_of(const char* file) {
    std::string line;
    std::ifstream in(file);
    std::getline(in, line);
    return line;
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// When a process started, in ticks since the boot; empty: there is none of this number.
std::string start_of(std::int64_t process) {
    const auto line = first_line_of(fmt::format("/proc/{}/stat", process).c_str());
    // Its second field, the name in parentheses, may hold anything.
    std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    constexpr int after_name = 20;
    std::string field;
    for (int i = 0; i < after_name && rest >> field; ++i) {
    }
    return rest ? field : "";
}

Json this_process() {
    std::error_code unknown;
    return {{"host", host_name()},
            {"boot", first_line_of("/proc/sys/kernel/random/boot_id")},
            {"processes", fs::read_symlink("/proc/self/ns/pid", unknown).string()},
            {"process", ::getpid()},
            {"started", start_of(::getpid())}};
}

Json read_owner(const fs::path& file) {
    try {
        constexpr std::uint64_t most = 4096;
        auto owner = read_json(file, most);
        if (owner.is_object()) return owner;
    } catch (const Error&) {  // being written, or no longer there
    }
    return Json::object();
}

std::int64_t process_of(const Json& owner) {
    return owner.contains("process") && owner["process"].is_number_integer()
               ? owner["process"].get<std::int64_t>()
               : 0;
}

bool is_same(const Json& a, const Json& b, std::initializer_list<const char*> keys) {
    return std::ranges::all_of(keys,
                               [&](const char* key) { return a.value(key, Json()) == b.value(key, Json()); });
}

/// Of an owner's file, last touched at `sign`, `now` being the file system's time.
bool is_alive(const Json& owner, std::time_t sign, std::time_t now) {
    const auto here = this_process();
    if (is_same(owner, here, {"host"}) && !is_same(owner, here, {"boot"})) return false;
    if (is_same(owner, here, {"host", "processes"}))
        return owner.value("started", Json()) == Json(start_of(process_of(owner)));
    return now - sign <= longest_silence;
}

/// Now, by the clock of the file system of `path`, which may be another machine's.
std::time_t time_at(const fs::path& path) {
    const auto file = make_temporary_file(path);
    const auto now = touched_at(file);
    std::error_code ec;
    fs::remove(file, ec);
    return now;
}

[[noreturn]] void fail_making(const fs::path& path) {
    fail("{}: cannot be written ({})", path.string(), std::strerror(errno));
}

}  // namespace

class FileLock::Way {
  public:
    virtual ~Way() = default;
    Way() = default;
    Way(const Way&) = delete;
    Way& operator=(const Way&) = delete;
    virtual bool in_place() const = 0;

    State state = State::taken;
    std::string holder;
};

class FileLock::Flock : public FileLock::Way {
  public:
    explicit Flock(const fs::path& path)
        : path_(path), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644)) {
        if (!file_.is_open()) fail_making(path);
        int result = 0;
        do {
            result = ::flock(file_.get(), LOCK_EX | LOCK_NB);
        } while (result != 0 && errno == EINTR);
        if (result == 0) {
            state = State::held;
            // For whoever comes next; on a full disk the lock does without.
            const auto process = std::to_string(::getpid());
            [[maybe_unused]] const bool written =
                ::ftruncate(file_.get(), 0) == 0 &&
                ::pwrite(file_.get(), process.data(), process.size(), 0) > 0;
        } else if (errno == EWOULDBLOCK) {
            const auto process = first_line_of(path.c_str());
            if (!process.empty() && process.find_first_not_of("0123456789") == std::string::npos)
                holder = "process " + process;
        } else {
            supported_ = false;
        }
    }
    bool supported() const { return supported_; }
    bool in_place() const override { return identity_of(path_) == identity_of(file_.get()); }

  private:
    fs::path path_;
    Descriptor file_;
    bool supported_ = true;
};

class FileLock::OwnerFile : public FileLock::Way {
  public:
    explicit OwnerFile(const fs::path& path) : path_(path.string() + ".owner") {
        if (!make() && remove_dead()) make();
        if (state == State::held)
            signs_ = std::jthread([this](const std::stop_token& stop) { give_signs(stop); });
    }
    ~OwnerFile() override {
        signs_ = {};
        std::error_code ec;
        if (in_place()) fs::remove(path_, ec);
    }
    OwnerFile(const OwnerFile&) = delete;
    OwnerFile& operator=(const OwnerFile&) = delete;

    bool in_place() const override { return made_ && identity_of(path_) == made_; }

  private:
    /// False: there is one.
    bool make() {
        const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 && errno != EEXIST) fail_making(path_);
        if (fd < 0) return false;
        const auto text = to_line(this_process()) + "\n";
        const bool written = ::write(fd, text.data(), text.size()) == std::ssize(text);
        made_ = identity_of(fd);
        ::close(fd);
        if (!written) {
            std::error_code ec;
            fs::remove(path_, ec);
            fail("{}: cannot be written (is the disk full?)", path_.string());
        }
        state = State::held;
        return true;
    }

    /// Whether the file's owner is dead, and the file gone.
    bool remove_dead() {
        const auto found = identity_of(path_);
        if (!found) return true;
        const auto owner = read_owner(path_);
        const auto host = owner.value("host", Json());
        if (is_alive(owner, touched_at(path_), time_at(path_))) {
            holder = fmt::format("process {} on host {}", process_of(owner),
                                 host.is_string() ? host.get<std::string>() : "unknown");
            return false;
        }
        // Another process may have come to the same conclusion, and hold the name already: what is moved aside must be
        // what was looked at.
        const auto aside = make_temporary_file(path_);
        std::error_code ec;
        fs::rename(path_, aside, ec);
        const bool was_it = identity_of(aside) == found;
        if (!was_it && !ec) fs::create_hard_link(aside, path_, ec);
        fs::remove(aside, ec);
        return was_it;
    }

    void give_signs(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!wait_.wait_for(lock, stop, between_signs, [] { return false; }) && !stop.stop_requested()) {
            if (in_place()) ::utimensat(AT_FDCWD, path_.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
        }
    }

    fs::path path_;
    std::optional<FileIdentity> made_;
    std::mutex mutex_;
    std::condition_variable_any wait_;
    std::jthread signs_;
};

FileLock::FileLock(const fs::path& path, Kind kind) {
    if (kind == Kind::automatic) {
        auto flock = std::make_unique<Flock>(path);
        if (flock->supported()) {
            way_ = std::move(flock);
            return;
        }
    }
    way_ = std::make_unique<OwnerFile>(path);
}

FileLock::~FileLock() = default;

FileLock::State FileLock::state() const {
    return way_->state;
}

const std::string& FileLock::holder() const {
    return way_->holder;
}

bool FileLock::in_place() const {
    return state() == State::held && way_->in_place();
}

}  // namespace stl
