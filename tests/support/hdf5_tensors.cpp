#include "tests/support/hdf5_tensors.h"

#include <hdf5.h>

#include <stdexcept>

namespace stl::test {
namespace {

/// Closes an HDF5 handle.
class Handle {
  public:
    Handle(hid_t id, herr_t (*close)(hid_t), const std::string& what) : id_(id), close_(close) {
        if (id < 0) throw std::runtime_error(what);
    }
    ~Handle() { close_(id_); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    operator hid_t() const { return id_; }

  private:
    hid_t id_;
    herr_t (*close_)(hid_t);
};

void silence() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Handle open_file(const std::string& path) {
    silence();
    return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, path + ": can't be read as HDF5"};
}

bool exists(hid_t file, const std::string& name) {
    // Every part of the path must be there before the next is asked for.
    for (auto end = name.find('/', 1); end != std::string::npos; end = name.find('/', end + 1)) {
        if (H5Lexists(file, name.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return name == "/" || H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0;
}

}  // namespace

torch::Tensor read_h5_tensor(const std::string& path, const std::string& name) {
    const auto file = open_file(path);
    if (!exists(file, name)) throw std::runtime_error(path + ": no dataset " + name);
    const Handle dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, path + ": " + name);
    const Handle space(H5Dget_space(dataset), H5Sclose, path + ": " + name);
    const Handle type(H5Dget_type(dataset), H5Tclose, path + ": " + name);

    std::vector<hsize_t> sizes(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
    const bool integer = H5Tget_class(type) == H5T_INTEGER;
    const bool wide = H5Tget_size(type) == 8;
    const auto dtype = integer ? torch::kInt64 : wide ? torch::kFloat64 : torch::kFloat32;
    const auto memory_type = integer ? H5T_NATIVE_INT64 : wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;

    auto out = torch::empty(std::vector<std::int64_t>(sizes.begin(), sizes.end()), dtype);
    if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data_ptr()) < 0) {
        throw std::runtime_error(path + ": " + name + " can't be read");
    }
    return out;
}

bool has_h5(const std::string& path, const std::string& name) {
    return exists(open_file(path), name);
}

std::vector<std::string> list_h5(const std::string& path, const std::string& group) {
    const auto file = open_file(path);
    std::vector<std::string> names;
    if (!exists(file, group)) return names;
    const auto add = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
        static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
    };
    const Handle opened(H5Gopen2(file, group.c_str(), H5P_DEFAULT), H5Gclose, path + ": " + group);
    H5Literate(opened, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names);
    return names;
}

}  // namespace stl::test
