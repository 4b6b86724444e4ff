// Files of torch.save: a pickle of plain values and tensors, and the tensors' storages, viewed in the file's
// memory map. Both the zip format (torch 1.6 and later) and the one before it.
//
// Source: torch/serialization.py of 2.11 (_save, _legacy_save) for the layout.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stl/archive/zip.h"
#include "stl/core/file.h"
#include "stl/pickle/machine.h"

namespace stl::pickle {

class TorchFile {
  public:
    /// Reads the pickle; storages stay in the file. Error "<path>: ..." if it is not such a file, or damaged.
    static std::shared_ptr<TorchFile> open(const fs::path& path);
    /// Whether a file starts as one of the two formats does.
    static bool looks_like_one(Bytes start);

    explicit TorchFile(const fs::path& path);
    TorchFile(const TorchFile&) = delete;
    TorchFile& operator=(const TorchFile&) = delete;

    Value root() const { return root_; }
    const fs::path& path() const { return file_.path(); }
    /// The names in the pickle that stand for nothing here ("omegaconf.DictConfig"), each once, printable.
    std::vector<std::string> unknown_names() const;
    /// The bytes of a tensor's storage, which live as long as this object. The first call for a storage
    /// checks its checksum, and inflates it if it was deflated. A tensor never reaches beyond them.
    Bytes storage(const Tensor& tensor);

  private:
    struct Storage {
        std::uint64_t size = 0;   ///< bytes
        std::uint64_t count = 0;  ///< elements
        const ZipEntry* entry = nullptr;
        Bytes bytes;          ///< legacy: in the file; zip: once it was asked for
        bool placed = false;  ///< legacy: found in the file
        bool ready = false;   ///< was asked for
        std::vector<std::byte> inflated;
        std::unique_ptr<std::byte[]> aligned;
    };

    void read_zip();
    void read_legacy(std::size_t position);
    Value read_pickle(Bytes bytes, std::size_t& position);
    void place_legacy_storages(std::size_t position, const List& keys);
    StorageView storage_of(const List& id);
    std::uint32_t storage_index(std::string_view key, std::uint64_t size, std::uint64_t count);
    void check_tensor(const Tensor& tensor) const;
    void prepare(Storage& storage) const;

    MappedFile file_;
    std::optional<ZipReader> zip_;
    std::string prefix_;             ///< of the zip's names: "archive/"
    std::vector<std::byte> pickle_;  ///< if it was deflated
    Arena arena_;
    Value root_;
    std::deque<Storage> storages_;
    std::unordered_map<std::string, std::uint32_t> index_;
};

}  // namespace stl::pickle
