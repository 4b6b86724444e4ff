#include "stl/formats/hdf5_check.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/formats/hdf5_parts.h"

namespace stl {
namespace {

using hdf5::Handle;

bool is_numeric(hid_t dataset) {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    const auto kind = H5Tget_class(type.get());
    return kind == H5T_INTEGER || kind == H5T_FLOAT;
}

/// Of superblocks from version 2 on all metadata have checksums.
bool has_checksums(hid_t file) {
    H5F_info2_t info{};
    return H5Fget_info2(file, &info) >= 0 && info.super.version >= 2;
}

/// Rows that are stored in one piece, or are quickly read together; and whether they have checksums.
struct Storage {
    std::int64_t rows = 1;
    bool has_checksums = false;
};

Storage storage_of(hid_t dataset, std::uint64_t row_bytes) {
    const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
    constexpr std::uint64_t block = 4 << 20;
    Storage storage{
        std::max<std::int64_t>(1, static_cast<std::int64_t>(block / std::max<std::uint64_t>(row_bytes, 1)))};
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    if (H5Pget_layout(creation.get()) == H5D_CHUNKED &&
        H5Pget_chunk(creation.get(), H5S_MAX_RANK, chunk.data()) > 0)
        storage.rows = static_cast<std::int64_t>(chunk.front());
    const int count = H5Pget_nfilters(creation.get());
    for (int i = 0; i < count; ++i) {
        unsigned flags = 0, config = 0;
        std::size_t values = 0;
        const auto filter = H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &values, nullptr,
                                           0, nullptr, &config);
        storage.has_checksums = storage.has_checksums || filter == H5Z_FILTER_FLETCHER32;
    }
    return storage;
}

void read_rows(DatasetCheck& check, hdf5::InputFile& file, hid_t dataset, Reporter& reporter,
               const StopRequested& stop) {
    const auto shape = hdf5::dataset_shape(dataset);
    const auto where = file.where(check.name);
    const Handle stored(H5Dget_type(dataset), H5Tclose);
    const Handle type(H5Tget_native_type(stored.get(), H5T_DIR_ASCEND), H5Tclose);
    const auto element = H5Tget_size(type.get());
    const bool scalar = shape.empty();
    check.rows = scalar ? 1 : shape.front();
    const auto row = static_cast<std::uint64_t>(
                         element_count(scalar ? shape : Shape(shape.begin() + 1, shape.end()), where)) *
                     element;
    const auto storage = storage_of(dataset, row);
    check.has_checksums = storage.has_checksums;
    if (scalar || row == 0 || check.rows == 0) return;
    const auto together = std::min(storage.rows, check.rows);
    require_memory(2 * row * static_cast<std::uint64_t>(together), where);
    std::vector<std::byte> values(row * static_cast<std::uint64_t>(together));
    const hdf5::BlockReader blocks(dataset, file.sizes(), where);
    std::vector<hsize_t> start(shape.size()), size(shape.begin(), shape.end());
    for (std::int64_t first = 0; first < check.rows; first += together) {
        if (stop && stop()) throw Interrupted("interrupted");
        reporter.progress({first, check.rows, where, ""});
        start[0] = static_cast<hsize_t>(first);
        size[0] = static_cast<hsize_t>(std::min(together, check.rows - first));
        try {
            blocks.read(start, size, type.get(), values.data());
        } catch (const Shortage&) {
            throw;
        } catch (const Error&) {
            for (std::uint64_t i = 0; i < size[0]; ++i)
                check.damaged.push_back(first + static_cast<std::int64_t>(i));
        }
    }
    reporter.progress_end();
}

}  // namespace

Hdf5Check check_hdf5(const fs::path& path, Reporter& reporter, const StopRequested& stop) {
    const hdf5::Lock lock;
    hdf5::InputFile file(path);
    Hdf5Check found{has_checksums(file.get()), {}};
    for (const auto& name : hdf5::dataset_names(file.get())) {
        DatasetCheck check;
        check.name = name;
        try {
            const auto dataset = file.dataset(name);
            if (!is_numeric(dataset.get())) continue;
            read_rows(check, file, dataset.get(), reporter, stop);
        } catch (const Interrupted&) {
            throw;
        } catch (const Shortage&) {
            throw;
        } catch (const Error& error) {
            check.problem = error.what();
        }
        found.datasets.push_back(std::move(check));
    }
    return found;
}

}  // namespace stl
