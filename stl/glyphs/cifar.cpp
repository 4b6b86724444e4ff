#include "stl/glyphs/cifar.h"

#include <array>

#include "stl/core/error.h"
#include "stl/core/locate.h"

namespace stl {
namespace {

constexpr std::int64_t picture_bytes = CifarPictures::channels * CifarPictures::side * CifarPictures::side;
constexpr std::int64_t record_bytes = 1 + picture_bytes;
constexpr std::int64_t pictures_per_file = 10'000;
constexpr std::array file_names{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
constexpr auto download = "cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html";

fs::path default_folder() {
    return locate_dataset(cifar_folder).value_or(fs::path("datasets") / cifar_folder);
}

/// Checks the first and the last record's label: in a file of another kind at least one of them is out of range.
void check_labels(const MappedFile& file) {
    const auto bytes = file.bytes();
    for (const auto at : {std::size_t{0}, bytes.size() - record_bytes}) {
        const auto label = std::to_integer<int>(bytes[at]);
        if (label > 9) {
            fail("{}: a record starts with {}, expected a label from 0 to 9 (CIFAR-10, binary version: {})",
                 file.path().string(), label, download);
        }
    }
}

}  // namespace

CifarPictures::CifarPictures(const fs::path& path) : path_(path.empty() ? default_folder() : path) {
    if (fs::is_regular_file(path_)) {
        open_file();
    } else {
        open_folder();
    }
    for (const auto& file : files_) check_labels(file);
}

void CifarPictures::open_folder() {
    constexpr auto expected = pictures_per_file * record_bytes;
    for (const auto* name : file_names) {
        const auto file = path_ / name;
        if (!fs::is_regular_file(file)) {
            fail("{}: not there, expected {} bytes of CIFAR-10's binary version ({})", file.string(),
                 expected, download);
        }
        if (const auto size = fs::file_size(file); size != static_cast<std::uintmax_t>(expected)) {
            fail("{}: {} bytes, expected {} (CIFAR-10's binary version: {})", file.string(), size, expected,
                 download);
        }
        files_.emplace_back(file);
    }
    per_file_ = pictures_per_file;
}

void CifarPictures::open_file() {
    MappedFile file(path_);
    const auto size = std::ssize(file.bytes());
    if (size == 0 || size % record_bytes != 0) {
        fail("{}: {} bytes, expected a multiple of {} (records of CIFAR-10's binary version: {})",
             path_.string(), size, record_bytes, download);
    }
    per_file_ = size / record_bytes;
    files_.push_back(std::move(file));
}

std::vector<fs::path> CifarPictures::files() const {
    std::vector<fs::path> paths;
    for (const auto& file : files_) paths.push_back(file.path());
    return paths;
}

std::span<const std::uint8_t> CifarPictures::picture(std::int64_t index) const {
    const auto bytes = files_.at(static_cast<std::size_t>(index / per_file_)).bytes();
    const auto record = bytes.subspan(static_cast<std::size_t>(index % per_file_ * record_bytes + 1),
                                      static_cast<std::size_t>(picture_bytes));
    return {reinterpret_cast<const std::uint8_t*>(record.data()), record.size()};
}

}  // namespace stl
