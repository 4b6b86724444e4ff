#include "stl/data/registry.h"

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/data/sets/moving.h"
#include "stl/data/sets/stored.h"

namespace stl {
namespace {

/// A data set whose frames always have the same shape.
template <std::int64_t channels, std::int64_t height, std::int64_t width>
SequenceShape always(const DatasetOptions& /*options*/) {
    return {1, channels, height, width};
}

}  // namespace

const std::vector<DatasetInfo>& datasets() {
    static const std::vector<DatasetInfo> list{
        {"mmnist", "Moving MNIST: handwritten digits that bounce", moving_keys, moving_frame, make_moving},
        {"mfmnist", "Moving Fashion-MNIST: pieces of clothing that bounce", moving_keys, moving_frame,
         make_moving},
        {"file", "sequences of an .h5, .npy or .npz file", stored_keys, stored_frame, make_stored},
        {"mmnist_cifar", "Moving MNIST over CIFAR-10 pictures, imported", imported_keys, always<3, 64, 64>,
         make_imported},
        {"taxibj", "TaxiBJ: taxis' in- and outflow in Beijing, imported", imported_keys, always<2, 32, 32>,
         make_imported},
        {"kth", "KTH actions, imported", imported_keys, always<1, 128, 128>, make_imported},
        {"human", "Human3.6M, imported", imported_keys, always<3, 256, 256>, make_imported},
        {"kitticaltech", "KITTI and Caltech pedestrians, imported", imported_keys, always<3, 128, 160>,
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
    auto shape = find_dataset(options.name, options.where).frame(options);
    shape.frames = options.total_frames();
    return shape;
}

}  // namespace stl
