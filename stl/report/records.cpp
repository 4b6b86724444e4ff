#include <algorithm>

#include "stl/core/error.h"
#include "stl/report/report.h"
#include "stl/run/run_folder.h"

namespace stl {
namespace {

/// What every row needs of a record.
void check_record(const Json& document, const std::string& where) {
    Fields fields(document, where);
    fields.require<std::string>("dataset");
    fields.require<std::string>("translator");
    fields.require<std::string>("ssim_mode");
    fields.require<std::string>("test_set");
    const auto& leading = leading_metric().key;
    if (document.contains(leading) && document[leading].is_null())
        fail("{}: not a finite number (were the predictions NaN?)", fields.where(leading));
    fields.require<double>(leading);
    Fields experiment(fields.require<Json>("experiment"), fields.where("experiment"));
    for (const char* key : {"dataset", "model"})
        Fields(experiment.require<Json>(key), experiment.where(key));  // are objects
    Fields(fields.require<Json>("per_frame"), fields.where("per_frame"))
        .require<std::vector<double>>(leading);
}

Record read_record(const fs::path& file, std::string name) {
    Record record{std::move(name), read_json(file)};
    check_record(record.document, file.string());
    return record;
}

}  // namespace

std::vector<Record> read_records(const fs::path& folder) {
    std::vector<fs::path> files;
    if (fs::is_directory(folder)) {
        for (const auto& entry : fs::recursive_directory_iterator(folder)) {
            if (entry.is_regular_file() && entry.path().extension() == ".json") files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    std::vector<Record> records;
    for (const auto& file : files) records.push_back(read_record(file, file.stem().string()));
    return records;
}

Record read_run_record(const fs::path& run) {
    const auto folder = RunFolder::open(run);
    const auto file = folder.evaluation_file();
    if (!fs::exists(file))
        fail("{}: has not been evaluated yet (run: stl evaluate {})", run.string(), run.string());
    return read_record(file, folder.name());
}

}  // namespace stl
