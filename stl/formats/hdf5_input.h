// An HDF5 file that is read, and the other files that it may name: external links, sources of virtual
// datasets, external raw storage. HDF5 opens all of them by itself and reads zeros where one is missing or
// short, so they are checked before it does. For the files of this folder alone.
#pragma once

#include <string>
#include <vector>

#include "stl/core/external_files.h"
#include "stl/formats/file_sizes.h"
#include "stl/formats/hdf5_handle.h"

namespace stl::hdf5 {

class InputFile {
  public:
    /// Error: missing, not an HDF5 file.
    explicit InputFile(const fs::path& path, ExternalFiles external = {});

    hid_t get() const { return file_.get(); }
    const fs::path& path() const { return path_; }
    /// "FILE: dataset 'NAME'"
    std::string where(const std::string& dataset) const;
    /// Whether a link of this name leads to an object. Error: it leads to a file that is missing or not allowed.
    bool has(const std::string& name) const;
    /// Error: no such dataset (with the names of those there are), packed by a filter that the library lacks, in
    /// need of a file that is missing, short or not allowed, or with values that were never written (and no fill
    /// value of the author's).
    Handle dataset(const std::string& name);
    /// What to know about the datasets opened so far: values that were never written and read as the fill value.
    const std::vector<std::string>& warnings() const { return warnings_; }
    /// Of all files that the datasets opened so far are read from.
    const FileSizes& sizes() const { return sizes_; }
    void close() { file_.close(); }

  private:
    InputFile(const fs::path& path, const InputFile& parent);

    Handle open(const std::string& name);
    /// Of external raw storage; relative paths are as the file has them.
    struct RawFile {
        fs::path path;
        std::uint64_t offset, size;
    };
    Handle with_raw_files(Handle dataset, const std::string& name);
    std::vector<RawFile> raw_files(hid_t dataset, const std::string& name) const;
    void check_raw_files(const std::vector<RawFile>& files, const fs::path& folder, hid_t dataset,
                         const std::string& name);
    void check_sources(hid_t dataset, const std::string& name);
    void check_written(hid_t dataset, const std::string& name);
    void add_unwritten(hid_t creation, const std::string& name, const std::string& what);

    fs::path path_;
    fs::path root_;  ///< the file that the user named
    ExternalFiles external_;
    int depth_ = 0;  ///< of virtual datasets in virtual datasets
    Handle file_;
    FileSizes sizes_;
    std::vector<std::string> warnings_;
};

}  // namespace stl::hdf5
