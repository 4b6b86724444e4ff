// Where the loader looks for the libraries of our programs: nowhere that somebody else, or the folder in which a program
// is started, decides.
#include <elf.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>
#include <span>

#include "tests/support/checks.h"
#include "tests/tools/program.h"

namespace stl {
namespace {

using testing::IsEmpty;

/// A value of the file at `offset`. Error: beyond its end.
template <class T>
T value_at(std::string_view bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) fail("an ELF file that ends too early");
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// The RPATH and RUNPATH of a program or shared library; nothing of what is no ELF file.
std::vector<std::string> library_paths(const fs::path& path) {
    const auto text = read_text(path);
    const std::string_view bytes = text;
    if (!bytes.starts_with(ELFMAG)) return {};
    const auto header = value_at<Elf64_Ehdr>(bytes, 0);
    std::vector<Elf64_Phdr> segments;
    for (std::uint64_t i = 0; i < header.e_phnum; ++i)
        segments.push_back(value_at<Elf64_Phdr>(bytes, header.e_phoff + i * header.e_phentsize));
    const auto place_of = [&](std::uint64_t address) {
        for (const auto& s : segments) {
            if (s.p_type == PT_LOAD && address >= s.p_vaddr && address < s.p_vaddr + s.p_filesz)
                return address - s.p_vaddr + s.p_offset;
        }
        fail("{}: an address in no segment", path.string());
    };
    std::uint64_t strings = 0;
    std::vector<std::uint64_t> found;
    for (const auto& s : segments) {
        if (s.p_type != PT_DYNAMIC) continue;
        for (auto at = s.p_offset;; at += sizeof(Elf64_Dyn)) {
            const auto entry = value_at<Elf64_Dyn>(bytes, at);
            if (entry.d_tag == DT_NULL) break;
            if (entry.d_tag == DT_STRTAB) strings = place_of(entry.d_un.d_ptr);
            if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) found.push_back(entry.d_un.d_val);
        }
    }
    std::vector<std::string> paths;
    for (const auto offset : found) paths.emplace_back(bytes.data() + strings + offset);
    return paths;
}

std::vector<std::string> elements(const std::string& path) {
    std::vector<std::string> all;
    for (std::size_t begin = 0;;) {
        const auto end = path.find(':', begin);
        all.push_back(path.substr(begin, end == path.npos ? end : end - begin));
        if (end == path.npos) return all;
        begin = end + 1;
    }
}

/// Whether somebody who is neither the owner nor of the group may put a library there.
bool others_may_write(fs::path folder) {
    struct stat info {};
    bool there = true;
    for (folder = fs::weakly_canonical(folder);; folder = folder.parent_path()) {
        const bool found = ::stat(folder.c_str(), &info) == 0;
        // In a folder such as /tmp everybody may make what is missing, but not replace what belongs to others.
        const bool shared = found && (info.st_mode & S_IWOTH) != 0;
        if (shared && (!there || (info.st_mode & S_ISVTX) == 0)) return true;
        there = found;
        if (folder == folder.root_path()) return false;
    }
}

/// What is wrong with an element of the path of `binary`; "": nothing.
std::string fault(const std::string& element, const fs::path& binary) {
    if (element.empty()) return "is empty: the current folder";
    constexpr std::string_view own = "$ORIGIN";
    const bool beside = element == own || element.starts_with("$ORIGIN/");
    if (!beside && !element.starts_with('/')) return "is relative to the current folder";
    const auto folder =
        beside ? fs::path(binary.parent_path().string() + element.substr(own.size())) : fs::path(element);
    // Of a folder that is itself shared, as /tmp is, everything may be replaced.
    struct stat info {};
    const bool shared = ::stat(folder.c_str(), &info) == 0 && (info.st_mode & S_IWOTH) != 0;
    return shared || others_may_write(folder) ? "can be written by anybody" : "";
}

std::vector<std::string> faults_below(const fs::path& folder, std::size_t& with_paths) {
    std::vector<std::string> faults;
    if (!fs::exists(folder)) return faults;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) continue;
        for (const auto& path : library_paths(entry.path())) {
            ++with_paths;
            for (const auto& element : elements(path)) {
                const auto wrong = fault(element, entry.path());
                if (!wrong.empty())
                    faults.push_back(
                        fmt::format("{}: '{}' of {} {}", entry.path().string(), element, path, wrong));
            }
        }
    }
    return faults;
}

const fs::path build_folder = fs::path(STL_PROGRAM).parent_path().parent_path();

TEST(LibraryPathsTest, EveryFaultIsFound) {
    const test::TemporaryFolder folder;
    const auto binary = folder / "bin/stl";
    fs::create_directories(folder / "open");
    fs::permissions(folder / "open", fs::perms::all);
    EXPECT_EQ(elements("/usr/lib::a:"), (std::vector<std::string>{"/usr/lib", "", "a", ""}));
    EXPECT_EQ(fault("/usr/lib", binary), "");
    EXPECT_EQ(fault("$ORIGIN", binary), "");
    EXPECT_EQ(fault("$ORIGIN/../lib", binary), "");
    for (const std::string wrong : {"", ".", "lib", "$ORIGINAL", "/tmp", "/tmp/none/of/that/name"})
        EXPECT_NE(fault(wrong, binary), "") << wrong;
    EXPECT_NE(fault((folder / "open").string(), binary), "");
    EXPECT_NE(fault("$ORIGIN/../open/deeper", binary), "");
}

TEST(LibraryPathsTest, OfAllThatIsBuiltNoneIsEmptyRelativeOrOpenToAll) {
    std::size_t with_paths = 0;
    EXPECT_THAT(faults_below(build_folder / "bin", with_paths), IsEmpty());
    EXPECT_GT(with_paths, 0U) << "the program finds LibTorch by its RUNPATH";
    EXPECT_THAT(faults_below(build_folder / "lib", with_paths), IsEmpty());
}

TEST(LibraryPathsTest, OfAllThatIsInstalledTheyLieInTheInstallation) {
    const test::TemporaryFolder folder;
    const auto command =
        fmt::format("'{}' --install '{}' --prefix '{}' --component stl >'{}' 2>&1", STL_CMAKE,
                    build_folder.string(), (folder / "there").string(), (folder / "said").string());
    ASSERT_EQ(std::system(command.c_str()), 0) << read_text(folder / "said");
    EXPECT_EQ(library_paths(folder / "there/bin/stl"),
              std::vector<std::string>{"$ORIGIN/../lib/stl/torch/lib"});
    EXPECT_EQ(library_paths(folder / "there/lib/libstl.so.0"),
              std::vector<std::string>{"$ORIGIN/stl/torch/lib"});
    EXPECT_EQ(fs::status(folder / "there/bin/stl").permissions() & fs::perms::others_exec,
              fs::perms::others_exec);
    if (fs::exists(build_folder / "lib/libstl_cuda.so")) {
        EXPECT_EQ(library_paths(folder / "there/lib/stl/libstl_cuda.so"),
                  std::vector<std::string>{"$ORIGIN/torch/lib"});
    }
}

class StartFolderTest : public ProgramTest {};

TEST_F(StartFolderTest, LibrariesThatLieThereAreNotLoaded) {
    for (const std::string name : {"libgomp.so.1", "libtorch_cpu.so", "libavformat.so.59", "libz.so.1"})
        write_text(folder_ / name, "not a library");
    good("--version");
}

}  // namespace
}  // namespace stl
