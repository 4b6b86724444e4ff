#include "stl/run/run_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "stl/core/digest.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"

namespace stl {
namespace {

constexpr const char* lock_file = ".lock";
constexpr const char* experiment_json = "experiment.json";
/// Where earlier contents wait for their removal, under a temporary name of it.
constexpr std::string_view replaced = "replaced";

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> paths;
    std::error_code ec;
    for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec))
        paths.push_back(entry->path());
    if (ec) fail("{}: cannot be read ({})", folder.string(), ec.message());
    return paths;
}

bool is_hidden(const fs::path& path) {
    return path.filename().string().starts_with('.');
}

/// Without hidden files (the lock, which stays so that whoever holds it holds it for the new run too, and what
/// a killed process left) and an empty checkpoints/.
std::vector<fs::path> contents(const fs::path& folder) {
    auto paths = entries(folder);
    std::erase_if(paths, [](const fs::path& path) {
        return is_hidden(path) || (path.filename() == "checkpoints" && fs::is_directory(path) &&
                                   std::ranges::all_of(entries(path), is_hidden));
    });
    return paths;
}

void refuse_taken(const fs::path& path, bool force) {
    if (!fs::exists(path) || (fs::is_directory(path) && contents(path).empty())) return;
    if (!force) fail("{}: exists already (--resume continues it, --force starts over)", path.string());
    if (!RunFolder::is_run(path))
        fail("{}: not a run folder (no experiment.json); not removed, even with --force", path.string());
}

void make_folder(const fs::path& path) {
    std::error_code ec;
    fs::create_directories(path, ec);
    if (ec) fail("{}: cannot be made ({})", path.string(), ec.message());
}

constexpr const char* check_key = "crc";

/// As it stands in metrics.jsonl: with the CRC-32C of the line as it would be without.
std::string checked_line(Json line) {
    line[check_key] = crc_text(crc32c(to_line(line)));
    return to_line(line) + "\n";
}

/// Of metrics.jsonl; null where it is none.
Json metrics_line(const std::string& text) {
    Json line;
    try {
        line = parse_json(text, "");
    } catch (const Error&) {
        return nullptr;
    }
    if (!line.is_object()) return nullptr;
    for (const char* count : {"step", "steps"}) {
        if (line.contains(count) && !line[count].is_number_integer()) return nullptr;
    }
    return line;
}

/// Removes the line's check; false: the line is not what it says.
bool take_check(Json& line) {
    const auto check = line[check_key];
    line.erase(check_key);
    return check == Json(crc_text(crc32c(to_line(line))));
}

/// What another process left on its way through remove_earlier().
void remove_replaced(const fs::path& folder) {
    for (const auto& path : entries(folder)) {
        std::error_code in_nobodys_way;
        if (path.filename().string().starts_with(fmt::format(".{}.tmp", replaced)))
            fs::remove_all(path, in_nobodys_way);
    }
}

/// All or nothing: the contents go aside one by one, experiment.json last (until then the folder is a run, which
/// can be replaced again), and back if one of them cannot.
void remove_earlier(const fs::path& folder) {
    auto earlier = contents(folder);
    std::stable_partition(earlier.begin(), earlier.end(),
                          [](const fs::path& path) { return path.filename() != experiment_json; });
    const auto aside = earlier.empty() ? fs::path() : make_temporary_folder(folder / replaced);
    for (auto one = earlier.begin(); one != earlier.end(); ++one) {
        std::error_code ec;
        fs::rename(*one, aside / one->filename(), ec);
        if (!ec) continue;
        std::error_code lost;
        for (auto back = earlier.begin(); back != one; ++back)
            fs::rename(aside / back->filename(), *back, lost);
        fs::remove(aside, lost);
        fail("{}: cannot be removed ({}); the run is as it was", one->string(), ec.message());
    }
    if (!aside.empty()) remove_replaced(folder);
}

/// A hard link to `file` under a temporary name beside it; a copy where the file system has no links.
fs::path second_name(const fs::path& file) {
    auto name = make_temporary_file(file);
    std::error_code ec;
    fs::remove(name, ec);
    fs::create_hard_link(file, name, ec);
    if (ec) fs::copy_file(file, name, ec);
    if (!ec) return name;
    fs::remove(name, ec);
    return {};
}

}  // namespace

bool RunFolder::is_run(const fs::path& path) {
    return fs::is_regular_file(path / experiment_json);
}

RunFolder RunFolder::create(const fs::path& path, bool force) {
    refuse_taken(path, force);  // before a lock file is created in a folder that is not a run
    make_folder(path);
    RunFolder folder(path);
    folder.lock();
    refuse_taken(path, force);  // another process may have been here in between
    remove_earlier(path);
    folder.remove_half_written();
    make_folder(path / "checkpoints");
    return folder;
}

RunFolder RunFolder::open(const fs::path& path) {
    if (!fs::exists(path)) fail("{}: no such run", path.string());
    if (!is_run(path)) fail("{}: not a run folder (no experiment.json){}", path.string(), kind_hint(path));
    return RunFolder(path);
}

RunFolder RunFolder::go_on(const fs::path& path) {
    auto folder = open(path);
    folder.lock();
    folder.remove_half_written();
    return folder;
}

void RunFolder::remove_half_written() const {
    for (const auto& folder : {path_, path_ / "checkpoints", path_ / "samples"}) remove_leftovers(folder);
    remove_replaced(path_);
}

void RunFolder::require_available(const fs::path& path, bool resume, bool force) {
    const bool there = is_run(path);
    if (!resume || !there) refuse_taken(path, force);
    if (there) open(path).lock();
}

std::vector<fs::path> RunFolder::last_checkpoints() const {
    std::vector<fs::path> found;
    if (fs::exists(checkpoint("last"))) found.push_back(checkpoint("last"));
    for (int i = 1;; ++i) {
        const auto earlier = checkpoint(fmt::format("last.{}", i));
        if (!fs::exists(earlier)) return found;
        found.push_back(earlier);
    }
}

void RunFolder::replace_last(std::int64_t keep, const std::function<void()>& write) {
    require_own();
    if (fs::exists(metrics_file())) flush_to_disk(metrics_file());
    const auto last = checkpoint("last");
    const auto numbered = [&](std::int64_t i) { return checkpoint(fmt::format("last.{}", i)); };
    // Under a second name the one before survives its replacement, without a moment in which there is none.
    const auto before = keep > 1 && fs::exists(last) ? second_name(last) : fs::path();
    std::error_code ec;
    try {
        write();
    } catch (...) {
        if (!before.empty()) fs::remove(before, ec);
        throw;
    }
    if (!before.empty()) {
        for (auto i = keep - 2; i >= 1; --i) fs::rename(numbered(i), numbered(i + 1), ec);
        fs::rename(before, numbered(1), ec);
    }
    flush_to_disk(last.parent_path());
    flush_to_disk(path_);
}

void RunFolder::lock() {
    lock_ = std::make_shared<FileLock>(path_ / lock_file);
    identity_ = identity_of(path_ / ".");  // of what a link leads to
    if (lock_->state() != FileLock::State::taken) return;
    const auto& who = lock_->holder();
    fail("{}: another stl train{} is writing here", path_.string(), who.empty() ? "" : " (" + who + ")");
}

void RunFolder::require_own() {
    if (lock_ == nullptr || lock_->in_place()) return;
    require_there();
    lock();
}

void RunFolder::require_there() const {
    if (lock_ != nullptr && identity_of(path_ / ".") != identity_)
        fail("{}: was removed or replaced while it was trained; nothing more is written to it",
             path_.string());
}

fs::path RunFolder::existing_checkpoint(const std::string& which) const {
    auto file = checkpoint(which);
    if (!fs::exists(file)) fail("{}: has no {} checkpoint ({})", path_.string(), which, file.string());
    return file;
}

fs::path checkpoint_of(const fs::path& source, const std::string& which) {
    if (fs::is_directory(source)) return RunFolder::open(source).existing_checkpoint(which);
    if (which != "last") fail("{}: is one checkpoint; weights '{}' are a run's", source.string(), which);
    return source;
}

std::string RunFolder::name() const {
    auto whole = fs::absolute(path_).lexically_normal();
    if (!whole.has_filename()) whole = whole.parent_path();
    return whole.filename().string();
}

std::optional<Json> RunFolder::run_record() const {
    if (!fs::exists(run_file())) return std::nullopt;
    return read_json(run_file());
}

void RunFolder::append_metrics(const Json& line) const {
    std::ofstream out(metrics_file(), std::ios::app);
    out << checked_line(line);
    out.flush();
    if (out) return;
    require_there();
    fail("{}: cannot be written (is the disk full?)", metrics_file().string());
}

Metrics read_metrics_file(const fs::path& file) {
    Metrics found{.file = file};
    std::istringstream in(read_text(file));
    std::string text;
    for (std::int64_t number = 1; std::getline(in, text); ++number) {
        auto line = metrics_line(text);
        const bool cut_short = in.eof();
        const bool checked = !line.is_null() && line.contains(check_key);
        if (!line.is_null() && (!checked || take_check(line))) {
            found.unchecked += checked ? 0 : 1;
            found.lines.push_back(std::move(line));
        } else if (!cut_short) {
            found.damaged.push_back(number);
        } else {
            break;
        }
        found.bytes += text.size() + (cut_short ? 0 : 1);
    }
    return found;
}

std::string Metrics::damage() const {
    if (damaged.empty()) return "";
    const bool one = damaged.size() == 1;
    return fmt::format("{}: {} {} {} damaged and left out", file.string(), one ? "line" : "lines",
                       fmt::join(damaged, ", "), one ? "is" : "are");
}

Metrics RunFolder::read_metrics() const {
    if (!fs::exists(metrics_file())) return {.file = metrics_file()};
    return read_metrics_file(metrics_file());
}

void RunFolder::drop_metrics_after(const Metrics& read, std::int64_t step, bool epoch_too) const {
    if (!fs::exists(metrics_file())) return;
    const auto last_epoch = epoch_too ? step - 1 : step;
    std::string kept;
    for (const auto& line : read.lines) {
        const bool keep = line.contains("step") ? line["step"].get<std::int64_t>() <= step
                                                : line.value("steps", std::int64_t{0}) <= last_epoch;
        if (keep) kept += checked_line(line);
    }
    write_text(metrics_file(), kept);
}

}  // namespace stl
