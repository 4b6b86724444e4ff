#include "stl/formats/npz_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "stl/archive/zip.h"
#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/core/utf8.h"
#include "stl/formats/file_checks.h"
#include "stl/formats/npy_file.h"

namespace stl {
namespace {

/// f(), whose Errors get to name what it reads.
template <class F>
auto naming(const std::string& where, F f) {
    try {
        return f();
    } catch (const Shortage& shortage) {
        throw Shortage(fmt::format("{}: {}", where, shortage.what()));
    } catch (const Error& error) {
        fail("{}: {}", where, error.what());
    }
}

/// "sequences.npy" -> "sequences"
std::string array_name(std::string_view entry) {
    return std::string(entry.ends_with(".npy") ? entry.substr(0, entry.size() - 4) : entry);
}

std::string choose_array(const ZipReader& zip, const std::string& asked, const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : zip.entries()) names.push_back(array_name(entry.name));
    if (names.empty()) fail("{}: holds no array", path);
    auto candidates = names;
    std::erase(candidates, "split");
    const auto name = !asked.empty() ? asked : candidates.size() == 1 ? candidates.front() : "sequences";
    if (std::ranges::find(names, name) == names.end()) {
        for (auto& other : names) other = printable(other);
        fail("{}: no array '{}'{}", path, name, did_you_mean(name, names));
    }
    return name;
}

/// Holds what is unpacked; maps of it live on.
class UnpackedFile {
  public:
    UnpackedFile() : file_(open_nameless_file(folder_)) {
        if (file_) return;
        fail_call(errno, "{}: cannot create a temporary file there ({}; TMPDIR chooses the folder)",
                  folder_.string(), std::strerror(errno));
    }

    void write(std::span<const std::byte> bytes) {
        if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) no_room();
    }
    const fs::path& folder() const { return folder_; }
    /// All that was written.
    MappedFile map() const {
        if (std::fflush(file_.get()) != 0) no_room();
        return {::fileno(file_.get()), folder_};
    }

  private:
    [[noreturn]] static void no_room() {
        fail("no space to unpack it ({}; TMPDIR chooses the folder)", std::strerror(errno));
    }

    fs::path folder_ = fs::temp_directory_path();
    FilePointer file_;
};

/// Bytes and whatever keeps them there.
struct FileBytes {
    std::shared_ptr<const MappedFile> file;
    std::span<const std::byte> bytes;
};

/// An entry's content: in place if it is stored, else in a temporary file that goes with its map.
FileBytes content_of(const std::shared_ptr<const MappedFile>& archive, const ZipReader& zip,
                     const ZipEntry& entry) {
    if (!entry.deflated) return {archive, zip.packed(entry)};
    UnpackedFile unpacked;
    require_space(unpacked.folder() / "unpacked", entry.size);
    zip.inflate(entry, [&](std::span<const std::byte> piece) { unpacked.write(piece); });
    auto file = std::make_shared<const MappedFile>(unpacked.map());
    const auto bytes = file->bytes();
    return {std::move(file), bytes};
}

std::vector<std::uint8_t> read_split(std::span<const std::byte> content, const std::string& where) {
    const auto header = parse_npy(content, where);
    if (header.shape.size() != 1 || header.dtype != DType::u8) {
        fail("{}: {} {}, expected uint8 [N]", where, dtype_name(header.dtype), to_string(header.shape));
    }
    const auto* marks = reinterpret_cast<const std::uint8_t*>(content.data() + header.data_offset);
    return {marks, marks + header.shape[0]};
}

}  // namespace

std::unique_ptr<SequenceReader> open_npz(const fs::path& path, const ReadOptions& options) {
    const auto file = std::make_shared<const MappedFile>(path);
    if (file->bytes().empty()) fail("{}: is empty, expected a zip file", path.string());
    if (const auto what = stand_in(file->bytes()); !what.empty()) fail("{}: {}", path.string(), what);
    const auto zip = naming(path.string(), [&] { return ZipReader(file->bytes()); });
    const auto name = choose_array(zip, options.dataset, path.string());
    const auto entry_of = [&](const std::string& array) {
        return std::ranges::find(zip.entries(), array,
                                 [](const ZipEntry& entry) { return array_name(entry.name); });
    };
    const auto where_of = [&](const std::string& array) {
        return fmt::format("{}: array '{}'", path.string(), printable(array));
    };
    const auto read = [&](const ZipEntry& entry, const std::string& array) {
        return naming(where_of(array), [&] { return content_of(file, zip, entry); });
    };
    std::vector<std::uint8_t> marks;
    const auto split = entry_of("split");
    if (split != zip.entries().end() && (options.dataset.empty() || options.dataset == "sequences")) {
        marks = read_split(read(*split, "split").bytes, where_of("split"));
    }
    auto content = read(*entry_of(name), name);
    return open_npy_bytes(std::move(content.file), content.bytes, std::move(marks), options.layout,
                          where_of(name));
}

}  // namespace stl
