#include "tests/fuzz/work_folder.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "stl/core/error.h"

namespace stl::fuzz {
namespace {

class Folder {
  public:
    Folder() {
        // Memory where there is some as a file system: every input is a file.
        const fs::path shared = "/dev/shm";
        const auto parent = ::access(shared.c_str(), W_OK) == 0 ? shared : fs::temp_directory_path();
        auto name = (parent / "stl-fuzz-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) fail("{}: cannot be made", name);
        path_ = name;
    }
    ~Folder() {
        std::error_code ec;
        fs::remove_all(path_, ec);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

}  // namespace

const fs::path& work_folder() {
    static const Folder folder;
    return folder.path();
}

fs::path put_file(const std::string& name, std::string_view bytes) {
    const auto path = work_folder() / name;
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) fail("{}: cannot be written", path.string());
    return path;
}

}  // namespace stl::fuzz

/// HDF5 1.10 reads beyond its own buffers in damaged object headers; nothing of ours can keep it from that.
/// What our code does with its memory is still checked.
extern "C" const char* __asan_default_suppressions();
extern "C" const char* __asan_default_suppressions() {
    return "interceptor_via_lib:libhdf5";
}
/// And it forgets some of them when it refuses a file.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libhdf5";
}
