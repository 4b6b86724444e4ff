// The shared library as other programs use it: one in C, one in Python, and a project that finds the installation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <regex>
#include <set>
#include <sstream>

#include "stl/predict/predictor.h"
#include "tests/support/small_run.h"

namespace stl {
namespace {

using ::testing::IsEmpty;
using testing::TemporaryFolder;
using testing::write_small_run;

const fs::path library_folder = fs::path(STL_LIBRARY).parent_path();

/// What the command writes, on both of its outputs; the test fails unless it ends well.
std::string output_of(const std::string& command, const fs::path& folder) {
    const auto said = folder / ".said";
    const int status = std::system(
        fmt::format("cd '{}' && {{ {} ; }} >'{}' 2>&1", folder.string(), command, said.string()).c_str());
    const auto text = read_text(said);
    EXPECT_EQ(status, 0) << command << "\n" << text;
    return text;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
    std::set<std::string> found;
    const std::regex expression(pattern);
    for (std::sregex_iterator i(text.begin(), text.end(), expression), end; i != end; ++i)
        found.insert((*i)[1]);
    return found;
}

torch::Tensor expected(const fs::path& source, const torch::Tensor& x) {
    return Predictor({.source = source.string(), .device = "cpu", .threads = 1}).predict(x);
}

void write_values(const fs::path& path, const torch::Tensor& x) {
    write_text(path, {static_cast<const char*>(x.const_data_ptr()), x.nbytes()});
}

torch::Tensor read_values(const fs::path& path, at::IntArrayRef shape) {
    const auto bytes = read_text(path);
    auto values = torch::full(shape, -1.0F);
    EXPECT_EQ(bytes.size(), values.nbytes());
    std::memcpy(values.mutable_data_ptr(), bytes.data(), std::min(bytes.size(), values.nbytes()));
    return values;
}

TEST(SharedLibrary, ShowsWhatTheHeaderDeclaresAndNothingElse) {
    const TemporaryFolder folder;
    const auto declared = matches(read_text(STL_SOURCE_DIR "/stl/c/stl.h"), R"(STL_API [^(]*?\b(stl_\w+)\()");
    EXPECT_TRUE(declared.contains("stl_predict"));
    EXPECT_LE(declared.size(), 15U);
    const auto shown =
        lines_of(output_of("nm -D --defined-only --format=just-symbols '" STL_LIBRARY "'", folder.path()));
    std::set<std::string> functions;
    for (const auto& name : shown) {
        if (name != "STL_0") functions.insert(name.substr(0, name.find('@')));
    }
    EXPECT_EQ(functions, declared);
}

TEST(SharedLibrary, HasAVersionedName) {
    const TemporaryFolder folder;
    const auto said = output_of("readelf -d '" STL_LIBRARY "'", folder.path());
    EXPECT_THAT(said, ::testing::HasSubstr("soname: [libstl.so.0]"));
}

TEST(SharedLibrary, ServesAProgramInC) {
    const TemporaryFolder folder;
    write_small_run(folder / "run");
    const auto x = torch::rand({1, 3, 1, 16, 16});
    write_values(folder / "in", x);
    EXPECT_EQ(output_of("'" STL_CLIENT "' run in out", folder.path()), "3 frames of 1 x 16 x 16, then 2\n");
    EXPECT_TRUE(torch::equal(read_values(folder / "out", {1, 2, 1, 16, 16}), expected(folder / "run", x)));
    EXPECT_NE(
        std::system(("cd '" + folder.path().string() + "' && '" STL_CLIENT "' none in out 2>said").c_str()),
        0);
    EXPECT_EQ(read_text(folder / "said"), "open: none: no such run or checkpoint\n");
}

/// The example of docs/library.md, word for word.
TEST(SharedLibrary, ServesPythonAsDocumented) {
    std::string program;
    bool inside = false;
    for (const auto& line : lines_of(read_text(STL_SOURCE_DIR "/docs/library.md"))) {
        inside = (inside && (line.empty() || line.starts_with("    "))) || line == "    import ctypes, numpy";
        if (inside) program += (line.empty() ? line : line.substr(4)) + "\n";
    }
    ASSERT_NE(program, "");
    const TemporaryFolder folder;
    write_small_run(folder / "runs/mmnist-gsta");
    const auto x = torch::rand({2, 3, 1, 16, 16});
    write_text(folder / "program.py", program);
    write_values(folder / "in", x);
    output_of(
        "/usr/bin/python3 -c 'import numpy; numpy.save(\"clips.npy\", numpy.fromfile(\"in\", "
        "\"f4\").reshape(2, 3, 1, 16, 16))'",
        folder.path());
    EXPECT_EQ(
        output_of(fmt::format("LD_LIBRARY_PATH='{}' /usr/bin/python3 program.py", library_folder.string()),
                  folder.path()),
        "");
    output_of("/usr/bin/python3 -c 'import numpy; numpy.load(\"prediction.npy\").tofile(\"out\")'",
              folder.path());
    EXPECT_TRUE(torch::allclose(read_values(folder / "out", {2, 2, 1, 16, 16}),
                                expected(folder / "runs/mmnist-gsta", x)));
}

class InstalledLibrary : public ::testing::Test {
  protected:
    /// With the LibTorch that the build uses, whose copy would take its time.
    static void SetUpTestSuite() {
        folder_ = std::make_unique<TemporaryFolder>();
        for (const char* component : {"stl", "development"}) {
            output_of(fmt::format("'{}' --install '{}' --prefix there --component {}", STL_CMAKE,
                                  STL_BUILD_DIR, component),
                      folder_->path());
        }
        fs::create_directory_symlink(STL_TORCH_LIBRARIES, there() / "lib/stl/torch/lib");
    }
    static void TearDownTestSuite() { folder_.reset(); }
    static fs::path there() { return *folder_ / "there"; }
    static const TemporaryFolder& folder() { return *folder_; }

  private:
    static std::unique_ptr<TemporaryFolder> folder_;
};
std::unique_ptr<TemporaryFolder> InstalledLibrary::folder_;

TEST_F(InstalledLibrary, EveryHeaderFindsThoseThatItIncludes) {
    std::vector<std::string> missing;
    std::size_t headers = 0;
    for (const auto& entry : fs::recursive_directory_iterator(there() / "include")) {
        if (!entry.is_regular_file()) continue;
        ++headers;
        for (const auto& name :
             matches(read_text(entry.path()), R"re(#\s*include\s+"((?:stl|tools|tests)/[^"]+)")re")) {
            if (!fs::exists(there() / "include" / name))
                missing.push_back(entry.path().string() + " includes " + name);
        }
    }
    EXPECT_THAT(missing, IsEmpty());
    EXPECT_GT(headers, 100U);
}

/// A project of somebody else's, in a folder that it was moved to.
TEST_F(InstalledLibrary, IsFoundByAProjectAndServesIt) {
    fs::rename(there(), folder() / "elsewhere");
    write_small_run(folder() / "run");
    const auto x = torch::rand({1, 3, 1, 16, 16});
    write_values(folder() / "in", x);
    output_of(
        fmt::format("'{}' -G Ninja -S '{}/tests/consumer' -B project -DWHOLE=ON -DCMAKE_PREFIX_PATH='{}'",
                    STL_CMAKE, STL_SOURCE_DIR, (folder() / "elsewhere").string()),
        folder().path());
    const auto cache = read_text(folder() / "project/CMakeCache.txt");
    EXPECT_THAT(cache, ::testing::HasSubstr("STL_TORCH_ROOT:PATH=" +
                                            fs::canonical(folder() / "elsewhere/lib/stl/torch").string()));
    const auto said = output_of(fmt::format("'{}' --build project", STL_CMAKE), folder().path());
    EXPECT_EQ(said.find("warning"), std::string::npos) << said;
    EXPECT_EQ(output_of("project/from_c run in out", folder().path()), "3 frames of 1 x 16 x 16, then 2\n");
    EXPECT_TRUE(
        torch::equal(read_values(folder() / "out", {1, 2, 1, 16, 16}), expected(folder() / "run", x)));
    EXPECT_EQ(output_of("project/from_cpp run", folder().path()), "[1, 2, 1, 16, 16]\n");
    fs::rename(folder() / "elsewhere", there());
}

}  // namespace
}  // namespace stl
