// Files of torch.save: those in tests/fixtures (made by torch itself), made by hand, and damaged in thousands of
// ways.

#include "stl/pickle/torch_file.h"

#include <cmath>
#include <cstring>
#include <random>

#include "stl/pickle/writer.h"
#include "tests/pickle/support.h"

namespace stl::pickle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

double element(DType type, const std::byte* at) {
    const auto as = [&](auto value) {
        std::memcpy(&value, at, sizeof value);
        return static_cast<double>(value);
    };
    switch (type) {
        case DType::f32:
            return as(float{});
        case DType::f64:
            return as(double{});
        case DType::i64:
            return as(std::int64_t{});
        case DType::i32:
            return as(std::int32_t{});
        case DType::i16:
            return as(std::int16_t{});
        case DType::i8:
            return as(std::int8_t{});
        case DType::u8:
        case DType::boolean:
            return as(std::uint8_t{});
        case DType::f16:
        case DType::bf16:
            return as(std::uint16_t{});  // compared by their bits
        case DType::u16:
        case DType::u32:
        case DType::u64:
            break;  // torch.save has none
    }
    return NAN;
}

/// All elements, row-major.
std::vector<double> values(TorchFile& file, const Tensor& tensor) {
    std::vector<double> out;
    const auto bytes = file.storage(tensor);
    const auto count = element_count(tensor.shape, "test");
    for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t rest = i;
        std::int64_t at = tensor.offset;
        for (std::size_t d = tensor.shape.size(); d-- > 0; rest /= tensor.shape[d]) {
            at += rest % tensor.shape[d] * tensor.strides[d];
        }
        out.push_back(
            element(tensor.dtype, bytes.data() + at * static_cast<std::int64_t>(dtype_size(tensor.dtype))));
    }
    return out;
}

/// Reads everything there is in a file.
void read_all(const fs::path& path) {
    const auto file = TorchFile::open(path);
    to_json(file->root(), path.string());
    const auto* dict = file->root().as<Dict>();
    if (dict == nullptr) return;
    for (const auto& [key, value] : dict->entries) {
        const auto* inner = value.as<Dict>();
        if (inner == nullptr) continue;
        for (const auto& entry : inner->entries) {
            if (const auto* tensor = entry.value.as<Tensor>()) values(*file, *tensor);
        }
    }
}

class Views : public ::testing::TestWithParam<const char*> {};

TEST_P(Views, OffsetsStridesAndSharedStorages) {
    const auto file = TorchFile::open(data_folder / GetParam());
    const auto* state = file->root().find("state_dict").as<Dict>();
    ASSERT_NE(state, nullptr);
    EXPECT_EQ(state->entries.size(), 18u);
    const auto expected = file->root().find("expected");
    for (const auto& [key, value] : state->entries) {
        const auto name = *key.as<std::string_view>();
        const auto* tensor = value.as<Tensor>();
        const auto* dense = expected.find(name).as<Tensor>();
        ASSERT_TRUE(tensor && dense) << name;
        EXPECT_EQ(tensor->shape, dense->shape) << name;
        EXPECT_EQ(tensor->dtype, dense->dtype) << name;
        EXPECT_EQ(values(*file, *tensor), values(*file, *dense)) << name;
    }
    const auto* whole = file->root().find("state_dict").find("whole").as<Tensor>();
    const auto* middle = file->root().find("state_dict").find("middle").as<Tensor>();
    EXPECT_EQ(whole->storage, middle->storage);
    EXPECT_EQ(middle->offset, 6);
    EXPECT_EQ(values(*file, *middle)[0], 6.0);
    EXPECT_EQ(file->root().find("state_dict").find("channels_last").as<Tensor>()->strides,
              (Shape{48, 1, 12, 3}));
    EXPECT_EQ(file->root().find("state_dict").find("expanded").as<Tensor>()->strides, Shape{0});
    EXPECT_EQ(values(*file, *file->root().find("state_dict").find("scalar").as<Tensor>()),
              std::vector<double>{2.5});
}

INSTANTIATE_TEST_SUITE_P(Formats, Views,
                         ::testing::Values("views.pth", "views_legacy.pth", "views_deflated.pth",
                                           "views_without_crc.pth"));

class Objects : public ::testing::TestWithParam<const char*> {};

TEST_P(Objects, PlainValuesAreReadAndOthersPassedOver) {
    const auto file = TorchFile::open(data_folder / GetParam());
    const auto json = to_json(file->root(), "objects");
    const auto& plain = json["plain"];
    EXPECT_EQ(plain["none"], nullptr);
    EXPECT_EQ(plain["true"], true);
    EXPECT_EQ(plain["negative"], -3);
    EXPECT_EQ(plain["large"], std::int64_t{1} << 40);
    EXPECT_EQ(plain["huge"], (std::uint64_t{1} << 63) + 5);
    EXPECT_FALSE(plain.contains("beyond"));
    EXPECT_EQ(plain["real"], 0.25);
    EXPECT_EQ(plain["text"], "schön");
    EXPECT_EQ(plain["tuple"], Json({1, 2, {3}}));
    EXPECT_EQ(plain["list"], Json({1, {2}}));
    EXPECT_EQ(plain["set"], Json({7}));
    EXPECT_EQ(plain["by_number"], Json({{"3", "three"}}));
    EXPECT_EQ(json["args"], Json({{"hid_S", 64}, {"model_type", "gSTA"}, {"nested", {{"lr", 0.5}}}}));
    EXPECT_EQ(json["numpy"], Json({{"f8", 0.5},
                                   {"f4", 0.25},
                                   {"f2", 1.5},
                                   {"i8", -7},
                                   {"u1", 200},
                                   {"bool", true},
                                   {"list", {2.0}}}));
    EXPECT_EQ(json["collections"]["default"], Json({{"a", {1}}}));
    EXPECT_EQ(json["collections"]["counter"], Json({{"a", 2}, {"b", 1}}));
    EXPECT_EQ(json["inert"]["size"], Json({2, 3}));
    EXPECT_FALSE(json["inert"].contains("callback"));
    const auto state = file->root().find("state_dict");
    ASSERT_NE(state.find("marked").as<Tensor>(), nullptr);
    EXPECT_EQ(values(*file, *state.find("marked").as<Tensor>()), (std::vector<double>{1, 1}));
}

TEST_P(Objects, LightningsDictionariesAreDictionaries) {
    const auto file = TorchFile::open(data_folder / GetParam());
    const auto parameters = file->root().find("hyper_parameters");
    // Protocol 1 writes an instance of a dictionary's subclass in pieces, which are passed over.
    if (std::string(GetParam()) == "objects_protocol1.pth") {
        EXPECT_NE(parameters.as<Object>(), nullptr);
    } else {
        EXPECT_EQ(to_json(parameters, "test"), Json({{"in_shape", {10, 1, 64, 64}}, {"lr", 0.1}}));
    }
}

INSTANTIATE_TEST_SUITE_P(Protocols, Objects,
                         ::testing::Values("objects_protocol1.pth", "objects_protocol2.pth",
                                           "objects_protocol4.pth", "objects_protocol5.pth",
                                           "objects_legacy.pth"));

std::vector<fs::path> model_files() {
    std::vector<fs::path> files;
    for (const auto& item : fs::recursive_directory_iterator(models_folder)) {
        if (item.path().extension() == ".pth" || item.path().extension() == ".ckpt")
            files.push_back(item.path());
    }
    std::ranges::sort(files);
    return files;
}

TEST(TorchFile, OpensEveryCheckpointOfTheReference) {
    const auto files = model_files();
    EXPECT_EQ(files.size(), 18u);
    for (const auto& path : files) {
        SCOPED_TRACE(path.string());
        const auto file = TorchFile::open(path);
        auto state = file->root().find("state_dict");
        if (state.is_none()) state = file->root();
        ASSERT_NE(state.as<Dict>(), nullptr);
        std::size_t tensors = 0;
        for (const auto& entry : state.as<Dict>()->entries) {
            const auto* tensor = entry.value.as<Tensor>();
            ASSERT_NE(tensor, nullptr);
            for (const double value : values(*file, *tensor)) ASSERT_TRUE(std::isfinite(value));
            ++tensors;
        }
        EXPECT_GT(tensors, 30u);
    }
}

TEST(TorchFile, TheSchedulersFunctionIsLeftOut) {
    const auto file = TorchFile::open(models_folder / "van" / "checkpoint.pth");
    const auto scheduler = file->root().find("scheduler");
    EXPECT_NE(scheduler.find("anneal_func").as<Object>(), nullptr);
    const auto json = to_json(scheduler, "test");
    EXPECT_FALSE(json.contains("anneal_func"));
    EXPECT_EQ(json["total_steps"], 8);
}

TEST(TorchFile, LegacyFilesHaveAnyProtocol) {
    for (const int protocol : {1, 3, 4, 5}) {
        const auto path = data_folder / fmt::format("legacy_protocol{}.pth", protocol);
        SCOPED_TRACE(path.string());
        EXPECT_TRUE(TorchFile::looks_like_one(bytes_of(read_text(path))));
        const auto file = TorchFile::open(path);
        EXPECT_EQ(to_json(file->root(), "test"), Json({{"text", "a"}, {"true", true}}));
        EXPECT_EQ(values(*file, *file->root().find("weight").as<Tensor>()), (std::vector<double>{0, 1}));
    }
}

TEST(TorchFile, OtherPicklesAreNoLegacyFiles) {
    const TemporaryFolder folder;
    const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    for (const auto& start : {"\x80\x06" + magic, "\x80\x04" + magic, magic, std::string("\x80\x04N."),
                              std::string("L119547037146038801333357L\n.")}) {
        write_text(folder / "x.pth", start + std::string(32, 'N'));
        EXPECT_FALSE(TorchFile::looks_like_one(bytes_of(read_text(folder / "x.pth")))) << start;
        EXPECT_THAT(error_of([&] { TorchFile::open(folder / "x.pth"); }),
                    HasSubstr("x.pth: not a file of torch.save"));
    }
}

// ---- by hand

/// A torch.save archive whose pickle is `pickle` and whose only storage "0" holds `storage`.
fs::path archive(const TemporaryFolder& folder, const std::string& pickle, const std::string& storage = "") {
    const auto path = folder / "made.pth";
    ZipWriter zip(path, "made.pth");
    zip.add("made/data.pkl", pickle);
    zip.add("made/data/0", storage);
    zip.finish();
    return path;
}

std::string storage_of(const std::string& type, std::int64_t count, const std::string& key = "0") {
    return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + "L" +
                 std::to_string(count) + "\n") +
           "Q";
}

std::string number(std::int64_t value) {
    return "L" + std::to_string(value) + "\n";
}

std::string numbers(const Shape& values) {
    std::string out;
    for (const auto value : values) out += number(value);
    return tuple(out);
}

std::string tensor(const std::string& storage, std::int64_t offset, const Shape& shape,
                   const Shape& strides) {
    return call("torch._utils", "_rebuild_tensor_v2",
                storage + number(offset) + numbers(shape) + numbers(strides) + "\x89" +
                    call("collections", "OrderedDict", ""));
}

std::string refusal_of_file(const std::string& pickle, const std::string& storage = "") {
    const TemporaryFolder folder;
    const auto path = archive(folder, pickle, storage);
    return error_of([&] { read_all(path); });
}

TEST(TorchFile, TensorsOfEveryRebuildFunction) {
    const TemporaryFolder folder;
    const std::string storage(16, '\x01');
    const auto v1 = call("torch._utils", "_rebuild_tensor",
                         storage_of("ByteStorage", 16) + number(1) + numbers({2}) + numbers({3}));
    const auto v3 = call("torch._utils", "_rebuild_tensor_v3",
                         storage_of("UntypedStorage", 16) + number(1) + numbers({2}) + numbers({1}) + "\x89" +
                             "N" + global("torch", "float32"));
    const auto path = archive(folder, "](" + v1 + v3 + "e.", storage);
    const auto file = TorchFile::open(path);
    const auto& items = file->root().as<List>()->items;
    EXPECT_EQ(values(*file, *items[0].as<Tensor>()), (std::vector<double>{1, 1}));
    EXPECT_EQ(items[1].as<Tensor>()->dtype, DType::f32);
    EXPECT_EQ(values(*file, *items[1].as<Tensor>()).size(), 2u);
}

TEST(TorchFile, RefusesTensorsThatReachBeyondTheirStorage) {
    const std::string four(16, '\0');
    const auto floats = storage_of("FloatStorage", 4);
    const auto one = [&](std::int64_t offset, const Shape& shape, const Shape& strides) {
        return refusal_of_file(tensor(floats, offset, shape, strides) + ".", four);
    };
    EXPECT_THAT(one(0, {5}, {1}), HasSubstr("reaches beyond its storage of 4 elements"));
    EXPECT_THAT(one(1, {4}, {1}), HasSubstr("reaches beyond"));
    EXPECT_THAT(one(0, {2, 2}, {4, 1}), HasSubstr("reaches beyond"));
    EXPECT_THAT(one(-1, {1}, {1}), HasSubstr("offset"));
    EXPECT_THAT(one(0, {2}, {-1}), HasSubstr("strides"));
    EXPECT_THAT(one(0, {2}, {std::int64_t{1} << 62}), HasSubstr("reaches beyond"));
    EXPECT_THAT(one(std::int64_t{1} << 62, {3}, {std::int64_t{1} << 61}), HasSubstr("strides"));
    EXPECT_THAT(one(0, {-1}, {1}), HasSubstr("impossible shape"));
    EXPECT_THAT(one(0, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}),
                HasSubstr("impossible shape"));
    EXPECT_THAT(one(0, {std::int64_t{1} << 40}, {0}),
                HasSubstr("a tensor [1099511627776] in a storage of 4"));
    EXPECT_THAT(one(0, {2}, {1, 1}), HasSubstr("strides"));
    EXPECT_THAT(one(0, Shape(17, 1), Shape(17, 1)), HasSubstr("17 dimensions"));
}

TEST(TorchFile, RefusesStoragesThatAreNotThere) {
    const auto whole = [](const std::string& storage) { return tensor(storage, 0, {1}, {1}) + "."; };
    EXPECT_THAT(refusal_of_file(whole(storage_of("FloatStorage", 4)), "short"),
                HasSubstr("16 bytes were announced"));
    EXPECT_THAT(refusal_of_file(whole(storage_of("FloatStorage", 1, "1")), "abcd"), HasSubstr("missing"));
    EXPECT_THAT(refusal_of_file(whole(storage_of("FloatStorage", -4)), "abcd"), HasSubstr("-4 elements"));
    EXPECT_THAT(refusal_of_file(whole(storage_of("FloatStorage", std::int64_t{1} << 62)), "abcd"),
                HasSubstr("elements"));
    EXPECT_THAT(refusal_of_file(whole(tuple(text("module")) + "Q")), HasSubstr("not a storage"));
    EXPECT_THAT(refusal_of_file(tuple("") + "Q."), HasSubstr("storage"));
    EXPECT_THAT(refusal_of_file(tensor("N", 0, {1}, {1}) + "."),
                HasSubstr("None where a storage was expected"));
}

TEST(TorchFile, RefusesWhatIsNoCheckpoint) {
    const TemporaryFolder folder;
    const auto refusal = [&](const std::string& content) {
        write_text(folder / "x.pth", content);
        return error_of([&] { TorchFile::open(folder / "x.pth"); });
    };
    EXPECT_THAT(refusal("hello"), HasSubstr("x.pth: not a file of torch.save"));
    EXPECT_THAT(refusal("PK\x03\x04"), HasSubstr("truncated"));
    ZipWriter other(folder / "other.pth", "other");
    other.add("readme.txt", "hello");
    other.finish();
    EXPECT_THAT(error_of([&] { TorchFile::open(folder / "other.pth"); }), HasSubstr("without data.pkl"));
    ZipWriter script(folder / "script.pth", "script");
    script.add("script/data.pkl", "N.");
    script.add("script/constants.pkl", "N.");
    script.finish();
    EXPECT_THAT(error_of([&] { TorchFile::open(folder / "script.pth"); }), HasSubstr("TorchScript"));
    ZipWriter big(folder / "big.pth", "big");
    big.add("big/data.pkl", "N.");
    big.add("big/byteorder", "big");
    big.finish();
    EXPECT_THAT(error_of([&] { TorchFile::open(folder / "big.pth"); }), HasSubstr("byte order"));
    EXPECT_THAT(error_of([&] { TorchFile::open(folder / "none.pth"); }), HasSubstr("none.pth: no such file"));
}

TEST(TorchFile, NeverRunsCodeInAFile) {
    const TemporaryFolder folder;
    const auto never = (folder / "never").string();
    const auto path = folder / "made.pth";
    ZipWriter zip(path, "made.pth");
    zip.add("made/data.pkl", "\x80\x02" + call("os", "system", text("touch " + never)) + "0" +
                                 call("os", "system", text("touch " + never)) + "0" + call("a", "b\x1b", "") +
                                 ".");
    zip.finish();
    const auto file = TorchFile::open(path);
    EXPECT_FALSE(fs::exists(never));
    EXPECT_EQ(file->root().describe(), "a a.b?");
    EXPECT_THAT(file->unknown_names(), ElementsAre("os.system", "a.b?"));
}

TEST(TorchFile, AClassOfTheLegacyFormatIsInert) {
    const TemporaryFolder folder;
    ZipWriter zip(folder / "made.pth", "made.pth");
    zip.add("made/data.pkl",
            tuple(text("module") + global("a", "Net") + text("a.py") + text("import os")) + "Q)\x81.");
    zip.finish();
    EXPECT_EQ(TorchFile::open(folder / "made.pth")->root().describe(), "a a.Net");
}

TEST(TorchFile, ProgramsOfTorchExportAreNamed) {
    const TemporaryFolder folder;
    ZipWriter zip(folder / "made.pt2", "made.pt2");
    zip.add("made/archive_format", "pt2");
    zip.add("made/models/model.json", "{}");
    zip.finish();
    EXPECT_THAT(error_of([&] { TorchFile::open(folder / "made.pt2"); }),
                HasSubstr("a program of torch.export"));
}

// ---- damage: an Error or a value, never a crash

/// Without the care for the disk that would make thousands of files slow.
void overwrite(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

void expect_no_crash(const fs::path& path) {
    try {
        read_all(path);
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_THAT(message, HasSubstr(path.filename().string()));
        EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
}

std::vector<fs::path> files_to_damage() {
    auto files = std::vector{data_folder / "views.pth",
                             data_folder / "views_legacy.pth",
                             data_folder / "views_deflated.pth",
                             data_folder / "views_without_crc.pth",
                             data_folder / "objects_legacy.pth",
                             data_folder / "legacy_protocol1.pth",
                             data_folder / "legacy_protocol4.pth",
                             data_folder / "objects_protocol1.pth",
                             data_folder / "objects_protocol2.pth",
                             data_folder / "objects_protocol4.pth"};
    files.push_back(models_folder / "convmixer" / "checkpoint_legacy.pth");
    files.push_back(models_folder / "poolformer" / "checkpoint_plain.pth");
    return files;
}

TEST(Damage, Truncation) {
    const TemporaryFolder folder;
    std::mt19937 random(1);
    for (const auto& path : files_to_damage()) {
        const auto whole = read_text(path);
        const auto damaged = folder / "damaged.pth";
        for (int i = 0; i < 200; ++i) {
            const auto size =
                i < 20 ? whole.size() - 1 - static_cast<std::size_t>(i) : random() % whole.size();
            overwrite(damaged, whole.substr(0, size));
            EXPECT_THROW(read_all(damaged), Error) << path << " cut to " << size;
            expect_no_crash(damaged);
        }
    }
}

TEST(Damage, FlippedBytes) {
    const TemporaryFolder folder;
    std::mt19937 random(2);
    for (const auto& path : files_to_damage()) {
        const auto whole = read_text(path);
        const auto damaged = folder / "damaged.pth";
        for (int i = 0; i < 500; ++i) {
            auto copy = whole;
            for (unsigned k = 0; k <= random() % 4; ++k) {
                // Most of them where the structure is: at the start or at the end.
                const auto near = std::min<std::size_t>(copy.size(), 4096);
                const auto where = random() % 3;
                const auto at = where == 0   ? random() % near
                                : where == 1 ? copy.size() - 1 - random() % near
                                             : random() % copy.size();
                copy[at] = static_cast<char>(random());
            }
            overwrite(damaged, copy);
            expect_no_crash(damaged);
        }
    }
}

TEST(Damage, FlippedBytesInThePickle) {
    // With the checksum set right, so that the interpreter itself meets the damage.
    const TemporaryFolder folder;
    std::mt19937 random(3);
    for (const auto* name :
         {"views.pth", "objects_protocol2.pth", "objects_protocol4.pth", "objects_protocol1.pth"}) {
        const auto whole = read_text(data_folder / name);
        const ZipReader zip(bytes_of(whole));
        std::vector<std::pair<std::string, std::string>> entries;
        for (const auto& entry : zip.entries()) {
            entries.emplace_back(entry.name, whole.substr(entry.offset, entry.packed));
        }
        const auto pickle =
            std::ranges::find_if(entries, [](const auto& e) { return e.first.ends_with("/data.pkl"); });
        const auto original = pickle->second;
        const auto damaged = folder / "damaged.pth";
        for (int i = 0; i < 1500; ++i) {
            pickle->second = original;
            for (unsigned k = 0; k <= random() % 3; ++k) {
                const auto at = random() % pickle->second.size();
                switch (random() % 3) {
                    case 0:
                        pickle->second[at] = static_cast<char>(random());
                        break;
                    case 1:
                        pickle->second.erase(at, 1 + random() % 8);
                        break;
                    default:
                        pickle->second.insert(at,
                                              original.substr(random() % original.size(), 1 + random() % 16));
                }
            }
            ZipWriter writer(damaged, "damaged.pth");
            for (const auto& [entry, content] : entries) writer.add(entry, content);
            writer.finish();
            expect_no_crash(damaged);
        }
    }
}

}  // namespace
}  // namespace stl::pickle
