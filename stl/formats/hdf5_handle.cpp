#include "stl/formats/hdf5_handle.h"

#include <algorithm>

#include "stl/core/error.h"
#include "stl/core/file_kind.h"
#include "stl/core/names.h"
#include "stl/core/utf8.h"
#include "stl/formats/hdf5_texts.h"

namespace stl::hdf5 {
namespace {

std::recursive_mutex& library_mutex() {
    static std::recursive_mutex mutex;  // as long-lived and as single as the library that it guards
    return mutex;
}

herr_t keep_description(unsigned /*n*/, const H5E_error2_t* error, void* out) {
    if (error->desc != nullptr && *error->desc != '\0') *static_cast<std::string*>(out) = error->desc;
    return 0;
}

/// A damaged file's groups may contain themselves.
constexpr int most_objects = 1000;

struct Visited {
    std::vector<std::string> datasets;
    int objects = 0;
};

/// Info: what H5Ovisit2 hands out, H5O_info_t in HDF5 1.10, H5O_info1_t from 1.12 on.
template <class Info>
herr_t collect_dataset(hid_t /*group*/, const char* name, const Info* info, void* out) {
    auto& found = *static_cast<Visited*>(out);
    if (info->type == H5O_TYPE_DATASET) found.datasets.emplace_back(name);
    return ++found.objects < most_objects ? 0 : 1;
}

Json read_text_attribute(hid_t attribute, hid_t type) {
    constexpr std::size_t too_long = 1 << 20;
    std::string text;
    if (H5Tis_variable_str(type) > 0) {
        text = VariableTexts(attribute).read_attribute();
    } else {
        if (H5Tget_size(type) > too_long) return nullptr;
        text.resize(H5Tget_size(type));
        if (H5Aread(attribute, type, text.data()) < 0) return nullptr;
        text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
    }
    return is_utf8(text) ? Json(text) : Json(nullptr);  // an attribute may hold anything
}

/// Of what the system refused HDF5 reports time, file names and addresses; the system's own words are enough.
std::string short_reason(const std::string& text) {
    const std::string mark = "error message = '";
    const auto begin = text.find(mark);
    if (begin == std::string::npos) return text;
    const auto end = text.find('\'', begin + mark.size());
    return end == std::string::npos ? text : text.substr(begin + mark.size(), end - begin - mark.size());
}

}  // namespace

Lock::Lock() : lock_(library_mutex()) {
    // A file that could not be written stays half open inside the library, which crashes when it cleans up at
    // exit. Everything is closed by its handle anyway. Has to be said before the library's first use.
    static const bool set_up = H5dont_atexit() >= 0;
    static_cast<void>(set_up);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

bool Handle::close() {
    if (id_ < 0) return true;
    const Lock lock;
    return close_(std::exchange(id_, -1)) >= 0;
}

std::string reason() {
    std::string text;
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
            // Upward starts at the innermost, which says most.
            return static_cast<std::string*>(out)->empty() ? keep_description(n, error, out) : 0;
        },
        &text);
    std::ranges::replace(text, '\n', ' ');
    return text.empty() ? "no reason given" : short_reason(text);
}

Handle create_file(const fs::path& path) {
    const Handle access = lockless_access();
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
    const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose};
}

void create_groups(hid_t file, const std::string& dataset) {
    const Handle creation(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    for (auto slash = dataset.find('/', 1); slash != std::string::npos;
         slash = dataset.find('/', slash + 1)) {
        const auto name = dataset.substr(0, slash);
        if (H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0) continue;
        const Handle group(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                           H5Gclose);
        if (!group.valid()) return;  // the dataset's creation tells
    }
}

Handle checked_creation(std::span<const hsize_t> chunk, int compression) {
    Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(creation.get(), false);
    H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
    if (compression > 0) {
        H5Pset_shuffle(creation.get());
        H5Pset_deflate(creation.get(), static_cast<unsigned>(compression));
    }
    H5Pset_fletcher32(creation.get());  // the last one, of what is stored
    return creation;
}

Handle lockless_access() {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_file_locking(access.get(), false, true);
    return access;
}

Handle open_for_reading(const fs::path& path) {
    require_readable_file(path);
    const Handle access = lockless_access();
    Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (file.valid()) return file;
    const auto why = reason();
    if (fs::file_size(path) == 0) fail("{}: is empty, expected an HDF5 file", path.string());
    refuse_stand_in(path);
    if (H5Fis_hdf5(path.c_str()) == 0) fail("{}: not an HDF5 file{}", path.string(), kind_hint(path));
    fail("{}: cannot be read as HDF5 ({})", path.string(), why);
}

std::vector<std::string> dataset_names(hid_t file) {
    Visited found;
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, collect_dataset, &found, H5O_INFO_BASIC);
    return found.datasets;
}

fs::path file_of(hid_t object) {
    const Handle file(H5Iget_file_id(object), H5Fclose);
    std::string name(4096, '\0');
    const auto length = H5Fget_name(file.get(), name.data(), name.size());
    if (length < 0 || length >= std::ssize(name))
        fail("HDF5 does not give the name of an open file ({})", reason());
    name.resize(static_cast<std::size_t>(length));
    return name;
}

Shape dataset_shape(hid_t dataset) {
    const Handle space(H5Dget_space(dataset), H5Sclose);
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::vector<hsize_t> sizes(static_cast<std::size_t>(std::max(rank, 0)));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
    return {sizes.begin(), sizes.end()};
}

DType dataset_dtype(hid_t dataset, const std::string& where) {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    const auto size = H5Tget_size(type.get());
    switch (H5Tget_class(type.get())) {
        case H5T_FLOAT:
            if (size == 2) return DType::f16;
            return size == 4 ? DType::f32 : DType::f64;
        case H5T_INTEGER:
            if (H5Tget_sign(type.get()) == H5T_SGN_NONE) {
                if (size <= 2) return size == 1 ? DType::u8 : DType::u16;
                return size <= 4 ? DType::u32 : DType::u64;
            }
            if (size <= 2) return size == 1 ? DType::i8 : DType::i16;
            return size <= 4 ? DType::i32 : DType::i64;
        default:
            fail("{}: holds neither integers nor floats", where);
    }
}

Json read_attribute(hid_t object, const std::string& name) {
    // By name: going through all of them is another thing that a damaged file makes HDF5 1.10 crash in.
    if (H5Aexists(object, name.c_str()) <= 0) return nullptr;
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
    if (!attribute.valid()) return nullptr;
    const Handle type(H5Aget_type(attribute.get()), H5Tclose);
    const Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const auto count = H5Sget_simple_extent_npoints(space.get());
    const auto kind = H5Tget_class(type.get());
    if (kind == H5T_STRING)
        return count == 1 ? read_text_attribute(attribute.get(), type.get()) : Json(nullptr);
    constexpr hssize_t most = 8192;  // an attribute holds 64 KiB; a damaged file may say anything
    if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || count < 1 || count > most) return nullptr;
    std::vector<double> numbers(static_cast<std::size_t>(count));
    if (H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, numbers.data()) < 0) return nullptr;
    return count == 1 ? Json(numbers[0]) : Json(numbers);
}

void write_attribute(hid_t object, const std::string& name, const Json& value, const std::string& where) {
    const bool list = value.is_array() && !value.empty() &&
                      std::ranges::all_of(value, [](const Json& item) { return item.is_number(); });
    const auto numbers = list ? value.get<std::vector<double>>() : std::vector<double>();
    const hsize_t count = numbers.size();
    const Handle space(list ? H5Screate_simple(1, &count, nullptr) : H5Screate(H5S_SCALAR), H5Sclose);
    const auto write = [&](hid_t type, const void* data) {
        const Handle attribute(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                               H5Aclose);
        if (!attribute.valid() || H5Awrite(attribute.get(), type, data) < 0) {
            fail("{}: attribute '{}' cannot be written ({})", where, name, reason());
        }
    };
    if (list) {
        write(H5T_NATIVE_DOUBLE, numbers.data());
    } else if (value.is_number()) {
        const auto number = value.get<double>();
        write(H5T_NATIVE_DOUBLE, &number);
    } else {
        const auto line = to_line(value);  // in UTF-8, as file names may not be
        const auto text = value.is_string() ? parse_json(line, name).get<std::string>() : line;
        const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
        H5Tset_size(type.get(), std::max<std::size_t>(text.size(), 1));
        H5Tset_cset(type.get(), H5T_CSET_UTF8);
        H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
        write(type.get(), text.empty() ? "" : text.data());
    }
}

}  // namespace stl::hdf5
