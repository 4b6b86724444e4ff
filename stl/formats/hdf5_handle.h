// Small owners around HDF5's C interface. For the files of this folder alone.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "stl/core/array.h"
#include "stl/core/json.h"

namespace stl::hdf5 {

/// HDF5 is one library with one state: every call into it happens under this lock. Also keeps it from
/// printing.
class Lock {
  public:
    Lock();

  private:
    std::unique_lock<std::recursive_mutex> lock_;
};

/// An identifier that is closed at the end; below 0 where the call that was to give it failed.
class Handle {
  public:
    Handle() = default;
    Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
    Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(id_, other.id_);
        std::swap(close_, other.close_);
        return *this;
    }
    ~Handle() { close(); }

    /// False if HDF5 could not close it (what it still had to write was lost).
    bool close();
    hid_t get() const { return id_; }
    bool valid() const { return id_ >= 0; }

  private:
    hid_t id_ = -1;
    herr_t (*close_)(hid_t) = nullptr;
};

/// What HDF5 says about the last failure, in a few words: "truncated file: eof = 800, ...".
std::string reason();

/// To open or create a file with: network and read-only file systems have no locks, and none is needed: files
/// that are written appear under their name when they are whole.
Handle lockless_access();
Handle open_for_reading(const fs::path& path);
/// An empty file for writing, in which HDF5 has a checksum on all that says where the data lie and what they are: the
/// format of HDF5 1.10. Invalid where it cannot be made.
Handle create_file(const fs::path& path);
/// Those that a dataset of this name, "group/name", is to lie in, without the time of their making.
void create_groups(hid_t file, const std::string& dataset);
/// To create a dataset with: in chunks that have a checksum (Fletcher-32) each, packed by deflate where `compression` is a
/// level over 0, and without the time of its making, so that the same data give the same file.
Handle checked_creation(std::span<const hsize_t> chunk, int compression = 0);
/// Names of the datasets, those in groups too ("a/b"); of the first thousand objects.
std::vector<std::string> dataset_names(hid_t file);
/// The file that an attribute, dataset or group lies in: another one where a link leads there.
fs::path file_of(hid_t object);
Shape dataset_shape(hid_t dataset);
/// Error (with `where`) for what is neither an integer nor a float of the usual sizes.
DType dataset_dtype(hid_t dataset, const std::string& where);

/// A number (as double), a list of them, or a text; null where there is no such attribute or it is of another
/// kind, a text that is not UTF-8 for example. Error: a damaged text.
Json read_attribute(hid_t object, const std::string& name);
/// Numbers and lists of them as double, texts as they are, everything else as JSON text (at most 64 KiB).
void write_attribute(hid_t object, const std::string& name, const Json& value, const std::string& where);

}  // namespace stl::hdf5
