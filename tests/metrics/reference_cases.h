// The reference's metric cases: arrays in metrics.h5, what it computes of them in metrics.json.
#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/json.h"
#include "stl/metrics/metrics.h"
#include "stl/runtime/torch.h"

namespace stl::testing {

/// A float32 array of an HDF5 file.
inline torch::Tensor read_h5(const std::string& file, const std::string& name) {
    const hid_t f = H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t data = H5Dopen2(f, name.c_str(), H5P_DEFAULT);
    const hid_t space = H5Dget_space(data);
    std::vector<hsize_t> size(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
    H5Sget_simple_extent_dims(space, size.data(), nullptr);
    auto tensor = torch::empty(std::vector<std::int64_t>(size.begin(), size.end()));
    const auto status =
        H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.mutable_data_ptr<float>());
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(f);
    if (status < 0) fail("{}: {} cannot be read", file, name);
    return tensor;
}

struct ReferenceCase {
    std::string name;
    torch::Tensor prediction, truth;
    Json runs;       ///< options and values
    Json per_frame;  ///< values without options, by data range
};

inline std::vector<ReferenceCase> reference_cases() {
    const std::string folder = STL_TEST_DATA "/metrics";
    std::vector<ReferenceCase> cases;
    const auto all = read_json(folder + "/metrics.json");
    for (const auto& [name, entry] : all.items()) {
        if (name.starts_with("_")) continue;
        cases.push_back({name, read_h5(folder + "/metrics.h5", name + "/pred"),
                         read_h5(folder + "/metrics.h5", name + "/true"), entry["runs"], entry["per_frame"]});
    }
    return cases;
}

inline MetricOptions options_of(const Json& run) {
    MetricOptions o;
    o.ssim = run["ssim_data_range"] == 2 ? SsimMode::openstl : SsimMode::standard;
    o.spatial_norm = run["spatial_norm"];
    if (!run["mean"].is_null()) o.mean = run["mean"].get<double>();
    if (!run["std"].is_null()) o.std = run["std"].get<double>();
    o.clip_min = run["clip_range"][0];
    o.clip_max = run["clip_range"][1];
    if (!run["channel_names"].is_null())
        o.channel_names = run["channel_names"].get<std::vector<std::string>>();
    return o;
}

}  // namespace stl::testing
