#include "tests/support/golden.h"

#include <algorithm>

#include "tests/support/hdf5_tensors.h"

namespace stl::test {
namespace {

/// The keys of config.json that describe the model; the others describe how the data was made.
SimVPOptions options_of(const Json& config, const std::string& where) {
    Json model;
    for (const auto* key : {"in_shape", "hid_S", "hid_T", "N_S", "N_T", "model_type", "mlp_ratio", "drop",
                            "drop_path", "spatio_kernel_enc", "spatio_kernel_dec", "aft_seq_length"}) {
        model[key] = config.at(key);
    }
    return SimVPOptions::from_json(model, where);
}

}  // namespace

Golden::Golden(const std::string& folder) : name(folder) {
    const std::string base = STL_TEST_DATA "/models/" + folder;
    h5_ = base + "/golden.h5";
    config = read_json(base + "/config.json");
    deviation = read_json(base + "/float64_deviation.json");
    options = options_of(config, folder);
}

torch::Tensor Golden::read(const std::string& dataset) const {
    return read_h5_tensor(h5_, dataset);
}
std::vector<std::string> Golden::list(const std::string& group) const {
    return list_h5(h5_, group);
}
bool Golden::has(const std::string& dataset) const {
    return has_h5(h5_, dataset);
}

std::vector<std::string> golden_folders() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(STL_TEST_DATA "/models")) {
        names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

double largest(const torch::Tensor& a) {
    return a.numel() == 0 ? 0.0 : a.detach().to(torch::kCPU, torch::kFloat64).abs().max().item<double>();
}

double deviation(const torch::Tensor& a, const torch::Tensor& b) {
    TORCH_CHECK(a.sizes() == b.sizes(), a.sizes(), " against ", b.sizes());
    return largest(a.detach().to(torch::kCPU, torch::kFloat64) - b.detach().to(torch::kCPU, torch::kFloat64));
}

double relative_deviation(const torch::Tensor& ours, const torch::Tensor& theirs) {
    return deviation(ours, theirs) / largest(theirs);
}

}  // namespace stl::test
