#include "stl/formats/hdf5_input.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <numeric>
#include <optional>

#include "stl/core/error.h"
#include "stl/core/memory.h"
#include "stl/core/names.h"
#include "stl/formats/hdf5_chunks.h"

namespace stl::hdf5 {
namespace {

constexpr std::size_t longest_name = 4096;

/// Where HDF5 looks for a file that another one names, in its order: as it stands if absolute (and then by its
/// last part), the environment's folders, the folder of the file, the current one, the folder of the file with
/// links resolved. The first that exists.
std::optional<fs::path> locate(const fs::path& parent, const std::string& name, const char* variable) {
    const auto exists = [](const fs::path& path) {
        std::error_code ec;
        return fs::exists(path, ec);
    };
    fs::path file(name);
    if (file.is_absolute()) {
        if (exists(file)) return file;
        file = file.filename();
    }
    const auto folder = fs::absolute(parent).parent_path();
    std::vector<fs::path> folders;
    if (const char* list = std::getenv(variable); list != nullptr) {
        constexpr std::string_view origin = "${ORIGIN}";
        for (std::string_view rest(list); !rest.empty();) {
            const auto one = rest.substr(0, rest.find(':'));
            rest.remove_prefix(std::min(rest.size(), one.size() + 1));
            if (one.starts_with(origin)) {
                folders.push_back(folder / fs::path(one.substr(origin.size())).relative_path());
            } else if (!one.empty()) {
                folders.emplace_back(one);
            }
        }
    }
    folders.insert(folders.end(), {folder, fs::current_path(), fs::canonical(parent).parent_path()});
    for (const auto& at : folders) {
        if (exists(at / file)) return (at / file).lexically_normal();
    }
    return std::nullopt;
}

/// What HDF5 is asked to follow, and why it may not.
struct Follow {
    const fs::path& root;
    ExternalFiles external;
    std::string refused;
};

/// Before HDF5 opens the file of an external link. An exception must not pass through it.
herr_t check_link(const char* parent, const char* /*group*/, const char* file, const char* /*object*/,
                  unsigned* /*flags*/, hid_t /*access*/, void* data) {
    auto& follow = *static_cast<Follow*>(data);
    try {
        const auto found = locate(parent, file, "HDF5_EXT_PREFIX");
        if (!found) fail("{}: links to {}, which is missing", parent, file);
        require_allowed(follow.root, *found, follow.external);
        require_readable_file(*found);
        return 0;
    } catch (const std::exception& error) {
        follow.refused = error.what();
        return -1;
    }
}

/// Files that links lead to are opened as those that are named: HDF5 refuses one file opened in two ways.
Handle linked_access(hid_t kind) {
    Handle access(H5Pcreate(kind), H5Pclose);
    H5Pset_elink_fapl(access.get(), lockless_access().get());
    return access;
}

/// Error: packed by what this HDF5 library has no filter for, such as h5py's "lzf".
void require_filters(hid_t creation, const std::string& where) {
    const int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; ++i) {
        unsigned flags = 0, config = 0;
        std::size_t values = 0;
        std::array<char, 64> name{};
        const auto filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr,
                                           name.size() - 1, name.data(), &config);
        if (H5Zfilter_avail(filter) <= 0) {
            fail(
                "{}: packed by the filter '{}' (number {}), which the HDF5 library here lacks; store it with "
                "gzip",
                where, name.data(), filter);
        }
    }
}

Handle creation_of(hid_t dataset) {
    return {H5Dget_create_plist(dataset), H5Pclose};
}

/// The names of a virtual dataset's source, by HDF5's function for one or the other.
std::string source_name(ssize_t (*get)(hid_t, std::size_t, char*, std::size_t), hid_t creation,
                        std::size_t index, const std::string& where) {
    const auto length = get(creation, index, nullptr, 0);
    if (length < 0 || static_cast<std::size_t>(length) > longest_name) fail("{}: damaged sources", where);
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    get(creation, index, name.data(), name.size());
    name.resize(name.find('\0'));
    return name;
}

/// "%b" is a block's number, "%%" a percent sign.
std::string with_block(const std::string& pattern, std::int64_t block) {
    std::string name;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const bool sign = pattern[i] == '%' && i + 1 < pattern.size();
        if (sign && pattern[i + 1] == 'b') {
            name += std::to_string(block);
            ++i;
        } else {
            name += pattern[i];
            if (sign && pattern[i + 1] == '%') ++i;
        }
    }
    return name;
}

/// A mapping that grows with its sources has no last row.
struct Selection {
    hssize_t points = 0;
    Shape end;  ///< of the smallest block that holds it; empty: unlimited, or everything
};

Selection selection_of(const Handle& space) {
    const int rank = H5Sget_simple_extent_ndims(space.get());
    if (rank < 1) return {};
    std::vector<hsize_t> first(static_cast<std::size_t>(rank)), last(first);
    Selection selection{H5Sget_select_npoints(space.get()), {}};
    if (selection.points < 0 || H5Sget_select_bounds(space.get(), first.data(), last.data()) < 0) return {};
    for (const auto at : last) {
        if (at >= hsize_t{1} << 62) return {};
        selection.end.push_back(static_cast<std::int64_t>(at) + 1);
    }
    return selection;
}

}  // namespace

InputFile::InputFile(const fs::path& path, ExternalFiles external)
    : path_(path), root_(path), external_(external), file_(open_for_reading(path)) {}

InputFile::InputFile(const fs::path& path, const InputFile& parent)
    : path_(path),
      root_(parent.root_),
      external_(parent.external_),
      depth_(parent.depth_ + 1),
      file_(open_for_reading(path)) {}

std::string InputFile::where(const std::string& dataset) const {
    return fmt::format("{}: dataset '{}'", path_.string(), dataset);
}

bool InputFile::has(const std::string& name) const {
    Follow follow{root_, external_, ""};
    const Handle access = linked_access(H5P_LINK_ACCESS);
    H5Pset_elink_cb(access.get(), check_link, &follow);
    const bool there = H5Oexists_by_name(file_.get(), name.c_str(), access.get()) > 0;
    if (!follow.refused.empty()) throw Error(follow.refused);
    return there;
}

Handle InputFile::open(const std::string& name) {
    // Follows every link under supervision; the next call goes the same way.
    if (has(name)) {
        const Handle access = linked_access(H5P_DATASET_ACCESS);
        Handle dataset(H5Dopen2(file_.get(), name.c_str(), access.get()), H5Dclose);
        if (dataset.valid()) {
            sizes_.add(file_of(dataset.get()));
            return dataset;
        }
    }
    const auto why = reason();
    const auto names = dataset_names(file_.get());
    if (std::ranges::find(names, name) != names.end()) fail("{} cannot be opened ({})", where(name), why);
    if (names.empty()) fail("{}: holds no dataset, expected '{}'", path_.string(), name);
    fail("{}: no dataset '{}'{}", path_.string(), name, did_you_mean(name, names));
}

Handle InputFile::dataset(const std::string& name) {
    auto dataset = open(name);
    const auto creation = creation_of(dataset.get());
    require_filters(creation.get(), where(name));
    if (H5Pget_layout(creation.get()) == H5D_VIRTUAL) {
        check_sources(dataset.get(), name);
    } else if (H5Pget_external_count(creation.get()) > 0) {
        dataset = with_raw_files(std::move(dataset), name);
    } else {
        check_written(dataset.get(), name);
        if (H5Pget_nfilters(creation.get()) > 0) require_reasonable_chunks(dataset.get(), where(name));
    }
    return dataset;
}

Handle InputFile::with_raw_files(Handle dataset, const std::string& name) {
    if (std::getenv("HDF5_EXTFILE_PREFIX") != nullptr) {  // where they lie is HDF5's to say then
        if (external_.allowed) return dataset;
        fail(
            "{}: its values are in other files, located by HDF5_EXTFILE_PREFIX (--allow-external permits "
            "reading them)",
            where(name));
    }
    const auto files = raw_files(dataset.get(), name);
    // HDF5 takes relative names from the current folder; who wrote them mostly meant that of the file.
    const auto folder = fs::absolute(path_).parent_path();
    std::error_code ec;
    const bool beside = depth_ == 0 && std::ranges::all_of(files, [&](const auto& f) {
                            return fs::exists(folder / f.path, ec);
                        });
    check_raw_files(files, beside ? folder : fs::current_path(), dataset.get(), name);
    if (!beside) return dataset;
    dataset.close();
    const Handle access = linked_access(H5P_DATASET_ACCESS);
    H5Pset_efile_prefix(access.get(), folder.c_str());
    Handle again(H5Dopen2(file_.get(), name.c_str(), access.get()), H5Dclose);
    if (!again.valid()) fail("{} cannot be opened ({})", where(name), reason());
    return again;
}

std::vector<InputFile::RawFile> InputFile::raw_files(hid_t dataset, const std::string& name) const {
    const auto creation = creation_of(dataset);
    std::vector<RawFile> files;
    const int count = H5Pget_external_count(creation.get());
    for (int i = 0; i < count; ++i) {
        std::string text(longest_name + 1, '\0');
        off_t offset = 0;
        hsize_t size = 0;
        if (H5Pget_external(creation.get(), static_cast<unsigned>(i), longest_name, text.data(), &offset,
                            &size) < 0 ||
            offset < 0) {
            fail("{}: damaged list of raw files", where(name));
        }
        files.push_back({text.c_str(), static_cast<std::uint64_t>(offset), size});
    }
    return files;
}

void InputFile::check_raw_files(const std::vector<RawFile>& files, const fs::path& folder, hid_t dataset,
                                const std::string& name) {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    auto shape = dataset_shape(dataset);
    shape.push_back(static_cast<std::int64_t>(H5Tget_size(type.get())));
    auto left = static_cast<std::uint64_t>(element_count(shape, where(name)));
    for (const auto& [path, offset, size] : files) {
        const auto file = folder / path;
        if (!fs::exists(file)) fail("{}: its values are in {}, which is missing", where(name), path.string());
        require_allowed(root_, file, external_);
        require_readable_file(file);
        const auto taken = std::min<std::uint64_t>(size, left);
        const auto there = fs::file_size(file);
        if (offset > there || taken > there - offset) {
            fail("{}: its values are in {}, which is too short: {} from byte {} on, expected {}", where(name),
                 file.string(), bytes_text(there - std::min(there, offset)), offset, bytes_text(taken));
        }
        left -= taken;
        sizes_.add(file);
    }
    if (left > 0) fail("{}: its raw files lack {} of values", where(name), bytes_text(left));
}

void InputFile::check_sources(hid_t dataset, const std::string& name) {
    constexpr int deepest = 8;
    constexpr std::int64_t most_blocks = 1'000'000;
    if (depth_ == deepest) fail("{}: virtual datasets in virtual datasets, too many", where(name));
    const auto creation = creation_of(dataset);
    std::size_t count = 0;
    if (H5Pget_virtual_count(creation.get(), &count) < 0) fail("{}: damaged sources", where(name));

    std::map<std::pair<std::string, std::string>, Shape> seen;
    // False: the file is missing, or no such dataset in it.
    const auto check = [&](const std::string& file, const std::string& set, const Shape& end, hssize_t points,
                           bool optional) {
        const auto key = std::pair(file, set);
        auto known = seen.find(key);
        if (known == seen.end()) {
            const auto found = file == "." ? path_ : locate(path_, file, "HDF5_VDS_PREFIX");
            if (!found && optional) return false;
            if (!found) fail("{}: its source {} is missing", where(name), file);
            require_allowed(root_, *found, external_);
            InputFile source(*found, *this);
            if (optional && !source.has(set)) return false;
            const auto opened = source.dataset(set);
            known = seen.emplace(key, dataset_shape(opened.get())).first;
            sizes_.add(source.sizes_);
            warnings_.insert(warnings_.end(), source.warnings_.begin(), source.warnings_.end());
        }
        const auto& shape = known->second;
        // Where all of a source is taken, the mapping itself says only how many values that is.
        const bool enough = end.empty() ? element_count(shape, file) >= points
                                        : std::ranges::equal(end, shape, std::ranges::less_equal());
        if (enough) return true;
        fail("{}: its source {} has the shape {}, expected {}", where(name), file, to_string(shape),
             end.empty() ? fmt::format("{} values", points) : "at least " + to_string(end));
    };

    hssize_t mapped = 0;
    bool growing = false;
    for (std::size_t i = 0; i < count; ++i) {
        const auto file = source_name(H5Pget_virtual_filename, creation.get(), i, where(name));
        const auto set = source_name(H5Pget_virtual_dsetname, creation.get(), i, where(name));
        const auto there = selection_of({H5Pget_virtual_srcspace(creation.get(), i), H5Sclose});
        const auto here = selection_of({H5Pget_virtual_vspace(creation.get(), i), H5Sclose});
        growing = growing || here.end.empty();
        mapped += here.points;
        const bool numbered =
            here.end.empty() && with_block(file + "/" + set, 0) != with_block(file + "/" + set, 1);
        if (!numbered) {
            check(with_block(file, 0), with_block(set, 0), there.end, here.points, false);
            continue;
        }
        std::int64_t block = 0;
        while (block < most_blocks &&
               check(with_block(file, block), with_block(set, block), {}, 0, block > 0))
            ++block;
    }
    if (growing) return;
    const auto all = element_count(dataset_shape(dataset), where(name));
    if (mapped < all)
        add_unwritten(creation.get(), name, fmt::format("{} of {} values have no source", all - mapped, all));
}

void InputFile::check_written(hid_t dataset, const std::string& name) {
    const auto creation = creation_of(dataset);
    const auto shape = dataset_shape(dataset);
    if (element_count(shape, where(name)) == 0) return;
    const auto layout = H5Pget_layout(creation.get());
    if (layout == H5D_CONTIGUOUS && H5Dget_storage_size(dataset) == 0)
        return add_unwritten(creation.get(), name, "no value was ever written");
    if (layout != H5D_CHUNKED) return;
    std::vector<hsize_t> chunk(shape.size());
    if (H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()) != std::ssize(shape))
        fail("{}: damaged chunk sizes", where(name));
    Shape chunks;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        const auto size = static_cast<std::int64_t>(chunk[d]);
        if (size < 1) fail("{}: damaged: chunks of size 0", where(name));
        chunks.push_back((shape[d] - 1) / size + 1);
    }
    const auto all = element_count(chunks, where(name));
    hsize_t written = 0;
    const Handle space(H5Dget_space(dataset), H5Sclose);
    if (H5Dget_num_chunks(dataset, space.get(), &written) < 0)
        fail("{}: its chunks cannot be counted ({})", where(name), reason());
    if (written >= static_cast<hsize_t>(all)) return;
    add_unwritten(
        creation.get(), name,
        fmt::format("{} of {} chunks were never written", all - static_cast<std::int64_t>(written), all));
}

void InputFile::add_unwritten(hid_t creation, const std::string& name, const std::string& what) {
    H5D_fill_value_t fill = H5D_FILL_VALUE_DEFAULT;
    H5Pfill_value_defined(creation, &fill);
    if (fill != H5D_FILL_VALUE_USER_DEFINED) {
        fail("{}: {}, and no fill value is set: write them, or make the dataset smaller", where(name), what);
    }
    warnings_.push_back(fmt::format("{}: {}; they read as the fill value", where(name), what));
}

}  // namespace stl::hdf5
