#include "stl/formats/data_file.h"

#include "stl/formats/sequence_formats.h"

namespace stl {
namespace {

bool is_file(const fs::path& path) {
    std::error_code ec;
    return fs::exists(path, ec) && !fs::is_directory(path, ec);
}

bool named_as_several_arrays(const fs::path& path) {
    const auto* format = format_of_name(path);
    return format != nullptr && format->named_arrays;
}

}  // namespace

DataFile::DataFile(const std::string& text) : path(text) {
    if (is_file(path)) return;
    for (const auto ends : {is_file, named_as_several_arrays}) {
        for (auto colon = text.rfind(':'); colon != std::string::npos && colon > 0;
             colon = text.rfind(':', colon - 1)) {
            if (!ends(text.substr(0, colon))) continue;
            path = text.substr(0, colon);
            dataset = text.substr(colon + 1);
            return;
        }
    }
}

bool same_file(const DataFile& a, const DataFile& b) {
    std::error_code missing;
    return fs::equivalent(a.path, b.path, missing);
}

}  // namespace stl
