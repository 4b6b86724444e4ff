#include "stl/train/data_record.h"

#include <algorithm>

#include "stl/core/digest.h"
#include "stl/core/file.h"
#include "stl/core/names.h"

namespace stl {
namespace {

std::string full_path(const fs::path& file) {
    return fs::absolute(file).lexically_normal().string();
}

void add_files(Json& files, const Dataset& data) {
    for (const auto& file : data.files()) {
        if (!fs::is_regular_file(file)) continue;
        const auto path = full_path(file);
        if (std::any_of(files.begin(), files.end(), [&](const Json& known) { return known["path"] == path; }))
            continue;
        Json record{{"path", path}, {"bytes", fs::file_size(file)}, {"digest", sample_digest(file)}};
        if (auto split = data.split_record(); !split.is_null()) record["split"] = std::move(split);
        files.push_back(std::move(record));
    }
}

Json files_of(const Json& record) {
    auto files = value_of(record, "files");
    return files.is_array() ? files : Json::array();
}

std::int64_t count_of(const Json& record, const std::string& key) {
    const auto count = value_of(record, key.c_str());
    return count.is_number_integer() ? count.get<std::int64_t>() : 0;
}

/// "80 train, 10 validation, 10 test"
std::string rows_text(const Json& split) {
    if (!split.is_object()) return "none";
    return fmt::format("{} train, {} validation, {} test", count_of(split, "train"),
                       count_of(split, "validation"), count_of(split, "test"));
}

/// What differs between a file's record of `when` and its digest and split now (null: not looked at); empty where
/// nothing does. Records of earlier versions have no split.
std::string difference(const Json& before, const std::string& path, const std::string& digest,
                       const Json* split, const char* when) {
    const auto had = value_of(before, "split");
    if (split != nullptr && !had.is_null() && had != *split) {
        const auto was = rows_text(had), is = rows_text(*split);
        return was == is ? fmt::format("{}: other sequences are marked for training and testing than {}",
                                       path, when)
                         : fmt::format("{}: its split ({}) is another one than {} ({})", path, is, when, was);
    }
    if (value_of(before, "digest") != Json(digest))
        return fmt::format("{}: other contents than {}", path, when);
    return "";
}

}  // namespace

Json data_record(const Dataset& training, const Dataset* validation) {
    Json files = Json::array();
    add_files(files, training);
    if (validation != nullptr) add_files(files, *validation);
    return {{"files", files},
            {"train_sequences", training.size()},
            {"validation_sequences", validation != nullptr ? validation->size() : 0}};
}

Json stored_data_record(const RunFolder& run) {
    return value_of(run.run_record().value_or(Json()), "trained_on");
}

std::string data_difference(const Json& before, const Json& now) {
    if (!before.is_object()) return "";
    for (const std::string kind : {"train", "validation"}) {
        const auto had = count_of(before, kind + "_sequences"), has = count_of(now, kind + "_sequences");
        if (had != has)
            return fmt::format("the run was started with {} for {}, now there are {}",
                               counted(had, "sequence"), kind == "train" ? "training" : kind, has);
    }
    const auto had = files_of(before), has = files_of(now);
    for (std::size_t i = 0; i < std::min(had.size(), has.size()); ++i) {
        const auto split = value_of(has[i], "split");
        auto line = difference(had[i], has[i]["path"].get<std::string>(), has[i]["digest"].get<std::string>(),
                               &split, "the run was started with");
        if (!line.empty()) return line;
    }
    return "";
}

std::string file_difference(const Json& before, const fs::path& file, const Json* split) {
    const auto path = full_path(file);
    for (const auto& known : files_of(before)) {
        if (value_of(known, "path") != Json(path)) continue;
        return difference(known, path, sample_digest(file), split, "the network was trained on");
    }
    return "";
}

std::vector<fs::path> recorded_files(const Json& record) {
    std::vector<fs::path> files;
    for (const auto& known : files_of(record)) {
        if (const auto path = value_of(known, "path"); path.is_string())
            files.emplace_back(path.get<std::string>());
    }
    return files;
}

}  // namespace stl
