// Mean and deviation: the keys of an experiment, and what a file says of itself.
#include "stl/data/normalization.h"

#include <hdf5.h>

#include "stl/data/dataset.h"
#include "tests/support/files.h"

namespace stl {
namespace {

using test::error_of;
using testing::HasSubstr;

std::string small_file(const fs::path& path, const Json& attributes = Json::object()) {
    const auto writer =
        create_sequences(path.string(), 2, {2, 2, 2, 2}, {.dtype = DType::f32, .attributes = attributes});
    writer->append(std::vector<float>(32, 1.0F));
    writer->finish();
    return path.string();
}

/// As h5py's `file["sequences"].attrs[name] = values` does.
void add_attribute(const std::string& file, const char* name, const std::vector<float>& values) {
    const hid_t f = H5Fopen(file.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t dataset = H5Dopen2(f, "sequences", H5P_DEFAULT);
    const hsize_t size = values.size();
    const hid_t space = H5Screate_simple(1, &size, nullptr);
    const hid_t attribute = H5Acreate2(dataset, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(attribute, H5T_NATIVE_FLOAT, values.data()), 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(f);
}

Normalization of(const std::string& file, const std::string& keys = "") {
    const auto options = DatasetOptions::from_json(
        parse_json(fmt::format(R"({{"name": "file", "path": "{}", "input_frames": 1, "output_frames": 1{}}})",
                               file, keys),
                   "a.json"),
        "a.json: dataset");
    return options.normalization.value_or(make_dataset(options, Split::train, 1)->normalization());
}

TEST(Normalization, TheFilesAttributesAreTaken) {
    const test::TemporaryFolder folder;
    EXPECT_TRUE(of(small_file(folder / "plain.h5")).empty());
    const auto list = small_file(folder / "list.h5");
    add_attribute(list, "mean", {1.5F, -2});
    EXPECT_TRUE(of(list).empty()) << "a mean alone may be anything";
    add_attribute(list, "std", {2, 0.5F});
    EXPECT_EQ(of(list), (Normalization{{1.5, -2}, {2, 0.5}}));
    const auto ours = small_file(folder / "ours.h5", {{"mean", 3.0}, {"std", Json::array({4.0})}});
    EXPECT_EQ(of(ours), (Normalization{{3}, {4}}));
    EXPECT_EQ(of(ours, R"(, "mean": 0, "std": 1)"), (Normalization{{0}, {1}})) << "keys win";
}

TEST(Normalization, KeysAreCheckedAndComeBack) {
    const auto options = [](const std::string& keys) {
        return DatasetOptions::from_json(parse_json(R"({"name": "mmnist", )" + keys + "}", "a.json"),
                                         "a.json: dataset");
    };
    const auto json = options(R"("mean": [1, 2], "std": [3, 4])").to_json();
    EXPECT_EQ(json["mean"], Json({1.0, 2.0}));
    EXPECT_EQ(DatasetOptions::from_json(json, "x").to_json(), json);
    const auto message = [&](const std::string& keys) { return error_of([&] { options(keys); }); };
    EXPECT_THAT(message(R"("mean": 1)"), HasSubstr("a.json: dataset: mean and std go together"));
    EXPECT_THAT(message(R"("mean": 1, "std": 0)"), HasSubstr("dataset.std: 0 is not positive"));
    EXPECT_THAT(message(R"("mean": [1, 2], "std": 1)"), HasSubstr("2 means and 1 deviations"));
    EXPECT_THAT(message(R"("mean": "a", "std": 1)"),
                HasSubstr("dataset.mean: \"a\" is not a number or a list of numbers"));
    EXPECT_THAT(error_of([] {
                    Normalization{{1, 2}, {1, 1}}.check_channels(3, "a.h5");
                }),
                HasSubstr("a.h5: mean and std of 2 channels, the frames have 3"));
}

}  // namespace
}  // namespace stl
