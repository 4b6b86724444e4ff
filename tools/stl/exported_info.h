// What stl info shows of an exported file.
#pragma once

#include "stl/export/export.h"
#include "tools/stl/console.h"

namespace stl::tools {

/// The record's keys, with "format", and what the ONNX file itself says under "onnx".
Json exported_json(const ExportedFile& file);
void print_exported(const ExportedFile& file, const std::string& name, const Console& console);

}  // namespace stl::tools
