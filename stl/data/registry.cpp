#include "stl/data/registry.h"

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/sets/moving.h"
#include "stl/data/sets/stored.h"

namespace stl {
namespace {

SequenceShape frame(std::int64_t channels, std::int64_t height, std::int64_t width) {
    return {1, channels, height, width};
}

}  // namespace

const std::vector<DatasetInfo>& datasets() {
    static const std::vector<DatasetInfo> list{
        {"mmnist", "Moving MNIST: two handwritten digits that bounce", std::nullopt, moving_keys,
         make_moving},
        {"mfmnist", "Moving Fashion-MNIST: two pieces of clothing that bounce", std::nullopt, moving_keys,
         make_moving},
        {"file", "sequences of an .h5, .npy or .npz file", std::nullopt, stored_keys, make_stored},
        {"mmnist_cifar", "Moving MNIST over CIFAR-10 pictures, imported", frame(3, 64, 64), imported_keys,
         make_imported},
        {"taxibj", "TaxiBJ: taxis' in- and outflow in Beijing, imported", frame(2, 32, 32), imported_keys,
         make_imported},
        {"kth", "KTH actions, imported", frame(1, 128, 128), imported_keys, make_imported},
        {"human", "Human3.6M, imported", frame(3, 256, 256), imported_keys, make_imported},
        {"kitticaltech", "KITTI and Caltech pedestrians, imported", frame(3, 128, 160), imported_keys,
         make_imported},
    };
    return list;
}

const DatasetInfo& find_dataset(const std::string& name, const std::string& where) {
    std::vector<std::string> names;
    for (const auto& info : datasets()) {
        if (info.name == name) return info;
        names.push_back(info.name);
    }
    fail("{}: unknown data set '{}'{}", where, name, did_you_mean(name, names));
}

SequenceShape dataset_shape(const DatasetOptions& options) {
    const auto& info = find_dataset(options.name, options.where);
    auto shape = info.frame ? *info.frame : info.make(options, Split::train, 0)->shape();
    shape.frames = options.total_frames();
    return shape;
}

}  // namespace stl
