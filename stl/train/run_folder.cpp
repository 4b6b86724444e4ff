#include "stl/train/run_folder.h"

#include <fstream>

#include "stl/core/error.h"

namespace stl {

bool RunFolder::is_run(const fs::path& path) {
    return fs::is_regular_file(path / "experiment.json");
}

RunFolder RunFolder::create(const fs::path& path, bool force) {
    std::error_code ec;
    if (fs::exists(path) && !(fs::is_directory(path) && fs::is_empty(path, ec))) {
        if (!force) fail("{}: exists already (--resume goes on with it, --force starts anew)", path.string());
        if (!is_run(path))
            fail("{}: is no run (no experiment.json in it), so --force does not remove it", path.string());
        fs::remove_all(path, ec);
        if (ec) fail("{}: cannot be removed ({})", path.string(), ec.message());
    }
    fs::create_directories(path / "checkpoints", ec);
    if (ec) fail("{}: cannot be made ({})", path.string(), ec.message());
    return RunFolder(path);
}

RunFolder RunFolder::open(const fs::path& path) {
    if (!fs::exists(path)) fail("{}: no such run", path.string());
    if (!is_run(path)) fail("{}: is no run (no experiment.json in it)", path.string());
    return RunFolder(path);
}

void RunFolder::append_metrics(const Json& line) const {
    std::ofstream out(metrics_file(), std::ios::app);
    out << line.dump() << '\n';
    out.flush();
    if (!out) fail("{}: cannot be written (is the disk full?)", metrics_file().string());
}

std::vector<Json> RunFolder::read_metrics() const {
    std::vector<Json> lines;
    std::ifstream in(metrics_file());
    for (std::string text; std::getline(in, text);) {
        // A line that a crash cut off is no line.
        auto line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
        if (line.is_object()) lines.push_back(std::move(line));
    }
    return lines;
}

void RunFolder::drop_metrics_after(std::int64_t step) const {
    if (!fs::exists(metrics_file())) return;
    std::string kept;
    for (const auto& line : read_metrics()) {
        if (line.value("step", line.value("steps", std::int64_t{0})) <= step) kept += line.dump() + "\n";
    }
    write_text(metrics_file(), kept);
}

}  // namespace stl
