// Compressed chunks of an HDF5 dataset, fetched raw from the library and unpacked here: outside its lock, so
// that threads unpack at the same time, and with every size checked (HDF5 1.10 reads beyond a chunk that
// unpacks to less than its size). For the files of this folder alone.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "stl/formats/hdf5_handle.h"

namespace stl::hdf5 {

/// Of a dataset whose chunks are unpacked whole. Error: chunks that the memory has no room for, or that are far larger
/// than the dataset.
void require_reasonable_chunks(hid_t dataset, const std::string& where);

/// HDF5's checksum of a chunk (Fletcher-32); its four bytes, the lowest first, stand behind the chunk.
std::uint32_t chunk_checksum(std::span<const std::byte> bytes);

/// Leaves new elements as their memory is: they are written before they are read.
template <class T>
struct Uninitialized : std::allocator<T> {
    template <class U>
    struct rebind {
        using other = Uninitialized<U>;
    };
    template <class U>
    void construct(U* place) noexcept {
        ::new (static_cast<void*>(place)) U;
    }
    template <class U, class... Args>
    void construct(U* place, Args&&... args) {
        ::new (static_cast<void*>(place)) U(std::forward<Args>(args)...);
    }
};

class ChunkReader {
  public:
    /// Null unless the dataset is chunked, and packed by deflate, after a byte shuffle or not, or has a checksum
    /// (Fletcher-32), or both: everything else is H5Dread's.
    static std::unique_ptr<ChunkReader> make(hid_t dataset, const std::string& where);

    /// The block [start, start + size) of the dataset, dense, into `out`, values as they are stored.
    /// Thread-safe.
    void read(std::span<const hsize_t> start, std::span<const hsize_t> size, std::byte* out) const;

    /// Why rows of a dataset of `shape` take long in random order, a line; empty: they don't.
    std::string slow_at_random(std::span<const std::int64_t> shape) const;

  private:
    using Bytes = std::vector<std::byte, Uninitialized<std::byte>>;
    using Position = std::vector<hsize_t>;

    ChunkReader() = default;
    bool is_one_chunk(std::span<const hsize_t> start, std::span<const hsize_t> size) const;
    /// Of those that several blocks share.
    std::shared_ptr<const Bytes> chunk(const Position& offset) const;
    Bytes load(const Position& offset) const;
    Bytes unpack(Bytes packed, unsigned skipped_filters) const;
    void copy_overlap(const Bytes& chunk, const Position& offset, std::span<const hsize_t> start,
                      std::span<const hsize_t> size, std::byte* out) const;

    hid_t dataset_ = -1;
    std::string where_;
    std::size_t element_ = 1;
    std::vector<H5Z_filter_t> filters_;
    Position chunk_size_;
    std::size_t chunk_bytes_ = 0;
    Bytes fill_;  ///< one value, where nothing was written; empty: the file's author set none

    /// Chunks of several sequences are asked for once per sequence: the latest few stay, or the latest one.
    mutable std::mutex mutex_;
    mutable std::list<std::pair<Position, std::shared_ptr<const Bytes>>> kept_;
};

}  // namespace stl::hdf5
