// One numeric array of an HDF5 file, as other programs wrote it (NetCDF4 and hickle files are HDF5), read a
// few rows of its first axis at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/external_files.h"
#include "stl/core/json.h"
#include "stl/formats/packing.h"

namespace stl {

class Hdf5Array {
  public:
    /// Error: no such file, no HDF5 file, no such dataset (the message lists those there are), no numbers, values
    /// that lie in a file that is missing, short or not allowed, or that were never written.
    Hdf5Array(const fs::path& path, const std::string& dataset, ExternalFiles external = {});
    ~Hdf5Array();
    Hdf5Array(Hdf5Array&&) noexcept;
    Hdf5Array& operator=(Hdf5Array&&) noexcept;

    const Shape& shape() const;
    DType dtype() const;               ///< as stored
    const std::string& where() const;  ///< "FILE: dataset 'NAME'", for messages
    /// Values of one row.
    std::int64_t row_elements() const;
    /// Values that were never written and read as the fill value.
    const std::vector<std::string>& warnings() const;
    bool has_attribute(const std::string& name) const;
    /// A number or a text; null where there is none of the name, or one of another kind.
    Json attribute(const std::string& name) const;
    /// For read(), which gives values as they are stored.
    const Packing& packing() const;

    /// Rows [first, first + count), converted; `out` holds count * row_elements() values. Error: damaged.
    void read(std::int64_t first, std::int64_t count, std::span<std::uint8_t> out) const;
    void read(std::int64_t first, std::int64_t count, std::span<float> out) const;
    void read(std::int64_t first, std::int64_t count, std::span<double> out) const;
    void read(std::int64_t first, std::int64_t count, std::span<std::int64_t> out) const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Of all datasets of a file, those in groups too ("a/b").
std::vector<std::string> hdf5_dataset_names(const fs::path& path);

/// A dataset of texts, or of integers (as texts). Error: anything else.
std::vector<std::string> read_hdf5_texts(const fs::path& path, const std::string& dataset,
                                         ExternalFiles external = {});

}  // namespace stl
