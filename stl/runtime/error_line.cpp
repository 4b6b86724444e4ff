#include "stl/runtime/error_line.h"

#include <c10/util/Exception.h>

#include <filesystem>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/runtime/device.h"

namespace stl {
namespace {

std::string told(const std::filesystem::filesystem_error& error) {
    auto reason = error.code().message();
    reason.replace(0, 1, lower_case(reason.substr(0, 1)));
    return error.path1().empty() ? reason : error.path1().string() + ": " + reason;
}

}  // namespace

std::string error_line(const std::exception& error) {
    if (const auto* ours = dynamic_cast<const Error*>(&error)) return ours->what();
    if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error)) return told(*file);
    if (is_out_of_memory(error)) return "out of memory";
    if (const auto* torch = dynamic_cast<const c10::Error*>(&error))
        return first_line(torch->what_without_backtrace());
    return first_line(error.what());
}

}  // namespace stl
