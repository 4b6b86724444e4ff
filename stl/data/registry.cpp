#include "stl/data/registry.h"

#include <set>

#include "stl/core/locate.h"
#include "stl/core/names.h"
#include "stl/data/sets/moving.h"
#include "stl/data/sets/stored.h"
#include "stl/formats/sequence_formats.h"
#include "stl/glyphs/cifar.h"
#include "stl/glyphs/glyphs.h"
#include "stl/glyphs/moving_scene.h"

namespace stl {
namespace {

const OwnKeys imported{read_imported, list_options<ImportedOptions>};

/// A data set whose frames always have the same shape.
template <std::int64_t channels, std::int64_t height, std::int64_t width>
SequenceShape always(const DatasetOptions& /*options*/) {
    return {1, channels, height, width};
}

/// A data set that comes in several sizes: the file's where it is there, else the usual one.
template <std::int64_t channels, std::int64_t height, std::int64_t width>
SequenceShape imported_frame(const DatasetOptions& options) {
    const auto path = find_imported(options);
    if (!path) return {1, channels, height, width};
    auto shape = open_sequences(*path)->info().shape;
    shape.frames = 1;
    return shape;
}

}  // namespace

const std::vector<DatasetInfo>& datasets() {
    static const std::vector<DatasetInfo> list{
        {"mmnist", "Moving MNIST: handwritten digits that bounce", keys_of<GrayOptions>(), moving_frame,
         make_moving},
        {"mfmnist", "Moving Fashion-MNIST: pieces of clothing that bounce", keys_of<GrayOptions>(),
         moving_frame, make_moving},
        {"mmnist_cifar", "Moving MNIST over CIFAR-10 pictures, in colour", keys_of<CifarOptions>(),
         cifar_frame, make_moving, "", cifar_folder},
        {"noisymmnist", "Moving MNIST with noise on the input frames", keys_of<NoisyOptions>(), moving_frame,
         make_moving},
        {"file", fmt::format("sequences of an {} file", listed(sequence_extensions(), "or")),
         keys_of<StoredOptions>(), stored_frame, make_stored},
        {"taxibj", "TaxiBJ: taxi inflow and outflow in Beijing, imported", imported, always<2, 32, 32>,
         make_imported, "https://github.com/chengtan9907/OpenSTL/releases/download/v0.1.0/taxibj_dataset.zip",
         imported_file("taxibj")},
        {"kth", "KTH actions, imported", imported, always<1, 128, 128>, make_imported,
         "https://www.csc.kth.se/cvap/actions/", imported_file("kth")},
        {"human", "Human3.6M, imported", imported, always<3, 256, 256>, make_imported,
         "http://vision.imar.ro/human3.6m/", imported_file("human")},
        {"kitticaltech", "KITTI and Caltech pedestrians, imported", imported, always<3, 128, 160>,
         make_imported,
         "https://figshare.com/articles/dataset/KITTI_hkl_files/7985684 and "
         "https://data.caltech.edu/records/f6rph-90m20",
         imported_file("kitticaltech")},
        {"weather", "WeatherBench: one variable of the weather on a globe, imported", imported,
         imported_frame<1, 32, 64>, make_imported, "https://github.com/pangeo-data/WeatherBench",
         imported_file("weather")},
    };
    return list;
}

const DatasetInfo& find_dataset(std::string_view name, std::string_view where) {
    return find_named(datasets(), name, "data set", where);
}

SequenceShape dataset_shape(const DatasetOptions& options) {
    auto shape = find_dataset(options.name, options.where).frame(options);
    shape.frames = options.total_frames();
    return options.augment ? options.augment->apply(shape, options.where) : shape;
}

std::vector<std::pair<std::string, std::optional<fs::path>>> locate_datasets() {
    std::vector<std::pair<std::string, std::optional<fs::path>>> found;
    std::set<std::string> glyphs;
    for (const auto& kind : moving_kinds()) {
        if (!glyphs.insert(kind.glyphs).second) continue;
        auto file = locate_dataset(kind.glyphs + "/" + glyph_file);
        found.emplace_back(kind.glyphs, file ? std::optional(file->parent_path()) : std::nullopt);
    }
    for (const auto& info : datasets()) {
        if (!info.data.empty()) found.emplace_back(info.name, locate_dataset(info.data));
    }
    return found;
}

}  // namespace stl
