// Texts of variable length. An attribute or dataset holds references; the texts lie in the file's global heaps.
// HDF5 1.10 trusts these: a damaged one ends the program. So HDF5 hands out the references alone, and the heaps
// are read here, from the file's bytes, every size checked. For the files of this folder alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/core/file.h"
#include "stl/formats/hdf5_handle.h"

namespace stl::hdf5 {

class VariableTexts {
  public:
    /// An attribute or a dataset of such texts.
    explicit VariableTexts(hid_t object);

    /// Of an attribute that holds one. Error: a damaged heap.
    std::string read_attribute();
    /// All of a dataset. Error: a damaged heap, more strings than fit in the file.
    std::vector<std::string> read_dataset(std::int64_t count);

  private:
    using Objects = std::map<std::uint64_t, std::span<const std::byte>>;

    std::string text(std::span<const std::byte> reference);
    const Objects& heap(std::uint64_t address);
    [[noreturn]] void fail_damaged(const char* what) const;

    hid_t object_;
    std::unique_ptr<MappedFile> file_;
    std::uint64_t base_ = 0;  ///< what addresses count from
    std::size_t address_bytes_ = 8, size_bytes_ = 8;
    std::size_t reference_bytes_ = 16;
    std::map<std::uint64_t, Objects> heaps_;
    std::uint64_t parsed_ = 0, given_ = 0;  ///< bytes of heaps and of texts
};

}  // namespace stl::hdf5
