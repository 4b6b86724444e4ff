// Small files in the layouts of published data sets, made as NumPy, hickle, NetCDF4 and Norpix make them.
#pragma once

#include <hdf5.h>

#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/file.h"
#include "stl/formats/npy_file.h"
#include "stl/media/png.h"

namespace stl::test {

inline void write_file(const fs::path& path, const std::string& bytes) {
    fs::create_directories(path.parent_path());
    write_text(path, bytes);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
std::string npy(const Shape& shape, DType dtype, const std::vector<T>& values) {
    auto header = npy_header(shape, dtype);
    // The header's own writer knows the types of sequences alone.
    if (dtype == DType::i32) header.replace(header.find("<f8"), 3, "<i4");
    return header + bytes_of(values);
}

/// An HDF5 file of other programs.
class Hdf5File {
  public:
    /// access: H5F_ACC_TRUNC makes it anew, H5F_ACC_RDWR changes it.
    explicit Hdf5File(const fs::path& path, unsigned access = H5F_ACC_TRUNC) {
        fs::create_directories(path.parent_path());
        id_ = access == H5F_ACC_RDWR ? H5Fopen(path.c_str(), access, H5P_DEFAULT)
                                     : H5Fcreate(path.c_str(), access, H5P_DEFAULT, H5P_DEFAULT);
    }
    ~Hdf5File() { H5Fclose(id_); }
    Hdf5File(const Hdf5File&) = delete;
    Hdf5File& operator=(const Hdf5File&) = delete;

    void add(const std::string& name, const Shape& shape, const std::vector<float>& values,
             const std::string& units = "") {
        add(name, shape, values.data(), H5T_NATIVE_FLOAT, units);
    }
    void add(const std::string& name, const Shape& shape, const std::vector<std::int64_t>& values,
             const std::string& units = "") {
        add(name, shape, values.data(), H5T_NATIVE_INT64, units);
    }
    void add(const std::string& name, const Shape& shape, const std::vector<std::uint8_t>& values) {
        add(name, shape, values.data(), H5T_NATIVE_UINT8, "");
    }
    /// Texts of the longest one's length, as h5py stores a list of bytes.
    void add(const std::string& name, const std::vector<std::string>& texts) {
        std::size_t longest = 1;
        for (const auto& text : texts) longest = std::max(longest, text.size());
        std::string all;
        for (const auto& text : texts) all += text + std::string(longest - text.size(), '\0');
        const hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, longest);
        H5Tset_strpad(type, H5T_STR_NULLPAD);
        add(name, {static_cast<std::int64_t>(texts.size())}, all.data(), type, "");
        H5Tclose(type);
    }
    /// As h5py stores it since 2.9: of variable length.
    void add_variable(const std::string& name, const std::vector<std::string>& texts) {
        std::vector<const char*> pointers;
        for (const auto& text : texts) pointers.push_back(text.c_str());
        const hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        add(name, {static_cast<std::int64_t>(texts.size())}, pointers.data(), type, "");
        H5Tclose(type);
    }
    /// Attributes as netCDF writes them: texts of variable length, lists of one number.
    void attribute(const std::string& dataset, const std::string& name, const std::string& text) {
        const hid_t type = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
        H5Tset_size(type, H5T_VARIABLE);
        const char* pointer = text.c_str();
        attribute(dataset, name, type, scalar, &pointer);
        H5Sclose(scalar);
        H5Tclose(type);
    }
    void attribute(const std::string& dataset, const std::string& name, double number) {
        const hsize_t one = 1;
        const hid_t space = H5Screate_simple(1, &one, nullptr);
        attribute(dataset, name, H5T_NATIVE_DOUBLE, space, &number);
        H5Sclose(space);
    }

  private:
    void attribute(const std::string& dataset, const std::string& name, hid_t type, hid_t space,
                   const void* value) {
        if (H5Aexists_by_name(id_, dataset.c_str(), name.c_str(), H5P_DEFAULT) > 0)
            H5Adelete_by_name(id_, dataset.c_str(), name.c_str(), H5P_DEFAULT);
        const hid_t made = H5Acreate_by_name(id_, dataset.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                                             H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(made, type, value);
        H5Aclose(made);
    }
    void add(const std::string& name, const Shape& shape, const void* values, hid_t type,
             const std::string& units) {
        const std::vector<hsize_t> sizes(shape.begin(), shape.end());
        const hid_t space = H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
        const hid_t set = H5Dcreate2(id_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        if (!units.empty()) {
            const hid_t text = H5Tcopy(H5T_C_S1), scalar = H5Screate(H5S_SCALAR);
            H5Tset_size(text, units.size());
            const hid_t attribute = H5Acreate2(set, "units", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
            H5Awrite(attribute, text, units.data());
            H5Aclose(attribute);
            H5Sclose(scalar);
            H5Tclose(text);
        }
        H5Dclose(set);
        H5Sclose(space);
    }
    hid_t id_;
};

/// A Norpix film: `pictures` are JPEG files' bytes, `stamp` the bytes of a time stamp.
inline std::string seq(const std::vector<std::string>& pictures, std::size_t stamp = 8) {
    const auto little = [](std::size_t value) {
        std::string text;
        for (int i = 0; i < 4; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
        return text;
    };
    std::string file = little(0xFEED);
    for (const char c : std::string("Norpix seq")) file += {c, '\0'};
    file.resize(32, '\0');
    file += little(1024);
    file.resize(1024, '\0');
    for (const auto& picture : pictures) {
        file += little(picture.size() + 4) + picture + std::string(stamp, '\x07');
    }
    return file;
}

/// A picture of one colour, whatever its name says (decoders go by the content).
inline void write_flat(const fs::path& path, int height, int width, std::vector<std::uint8_t> color) {
    Image image(height, width, static_cast<int>(color.size()));
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = color[i % color.size()];
    fs::create_directories(path.parent_path());
    write_text(path, encode_png(image));
}

}  // namespace stl::test
