// The pictures of CIFAR-10's binary version, read in place: records of one label byte (0-9) and 3072 bytes of
// 32x32 RGB, plane by plane.
//
// Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the files are
// cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stl/core/file.h"

namespace stl {

class CifarPictures {
  public:
    static constexpr std::int64_t side = 32;
    static constexpr std::int64_t channels = 3;

    /// `path`: a folder with data_batch_1.bin ... data_batch_5.bin and test_batch.bin (60,000 pictures in
    /// this order, that of the reference), or one file of whole records. Empty:
    /// datasets/cifar-10-batches-bin. Error: a file is missing, of another size, or has labels above 9
    /// (CIFAR-100's, say).
    explicit CifarPictures(const fs::path& path);

    std::int64_t count() const { return std::ssize(files_) * per_file_; }
    /// [3,32,32]
    std::span<const std::uint8_t> picture(std::int64_t index) const;
    const fs::path& path() const { return path_; }
    std::vector<fs::path> files() const;

  private:
    void open_folder();
    void open_file();

    fs::path path_;
    std::vector<MappedFile> files_;
    std::int64_t per_file_ = 0;  ///< the six files hold 10,000 pictures each
};

/// Name of the folder below datasets/.
inline constexpr auto cifar_folder = "cifar-10-batches-bin";

}  // namespace stl
