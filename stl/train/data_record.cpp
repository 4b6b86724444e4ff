#include "stl/train/data_record.h"

#include "stl/core/file.h"
#include "stl/core/names.h"

namespace stl {
namespace {

Json file_record(const fs::path& file) {
    return {{"path", fs::absolute(file).lexically_normal().string()},
            {"bytes", fs::file_size(file)},
            {"digest", sample_digest(file)}};
}

/// A record of another program may hold anything.
Json files_of(const Json& record) {
    auto files = record.is_object() ? record.value("files", Json()) : Json();
    return files.is_array() ? files : Json::array();
}

std::string digest_of(const Json& file) {
    return file.is_object() && file.contains("digest") && file["digest"].is_string()
               ? file["digest"].get<std::string>()
               : "";
}

std::int64_t count_of(const Json& record, const char* key) {
    return record.contains(key) && record[key].is_number_integer() ? record[key].get<std::int64_t>() : 0;
}

}  // namespace

Json data_record(const Dataset& training, const Dataset* validation) {
    Json files = Json::array();
    for (const auto& file : training.files()) {
        if (fs::is_regular_file(file)) files.push_back(file_record(file));
    }
    return {{"files", files},
            {"train_sequences", training.size()},
            {"validation_sequences", validation != nullptr ? validation->size() : 0}};
}

Json stored_data_record(const RunFolder& run) {
    const auto record = run.run_record();
    return record && record->is_object() ? record->value("trained_on", Json()) : Json();
}

std::string data_difference(const Json& before, const Json& now) {
    if (!before.is_object()) return "";
    for (const char* kind : {"train", "validation"}) {
        const auto key = fmt::format("{}_sequences", kind);
        const auto had = count_of(before, key.c_str()), has = count_of(now, key.c_str());
        if (had != has)
            return fmt::format("the run was started with {} for {}, now there are {}",
                               counted(had, "sequence"),
                               kind == std::string("train") ? "training" : "validation", has);
    }
    const auto had = files_of(before), has = files_of(now);
    for (std::size_t i = 0; i < std::min(had.size(), has.size()); ++i) {
        if (digest_of(had[i]) != digest_of(has[i]))
            return fmt::format("{}: other contents than the run was started with",
                               has[i]["path"].get<std::string>());
    }
    return "";
}

std::string file_difference(const Json& before, const fs::path& file) {
    const auto path = fs::absolute(file).lexically_normal().string();
    for (const auto& known : files_of(before)) {
        if (!known.is_object() || known.value("path", Json()) != Json(path)) continue;
        if (digest_of(known) != sample_digest(file))
            return fmt::format("{}: its contents have changed since the network was trained on it", path);
    }
    return "";
}

}  // namespace stl
