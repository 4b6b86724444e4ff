#include "tools/stl/exported_info.h"

#include <fmt/ranges.h>

#include "stl/core/memory.h"
#include "stl/core/utf8.h"

namespace stl::tools {
namespace {

std::string text_of(const Json& value) {
    return on_one_line(value.is_string() ? value.get<std::string>() : value.dump());
}

Json ports_json(const std::vector<onnx::Port>& ports) {
    Json list = Json::array();
    for (const auto& port : ports) {
        Json shape = Json::array();
        for (const auto& size : port.shape)
            shape.push_back(size.symbol.empty() ? Json(size.size) : Json(size.symbol));
        list.push_back({{"name", port.name}, {"shape", shape}});
    }
    return list;
}

/// "frames [batch, 10, 1, 64, 64]"
std::string port_text(const Json& port) {
    std::vector<std::string> sizes;
    for (const auto& size : value_of(port, "shape")) sizes.push_back(text_of(size));
    return fmt::format("{} [{}]", text_of(value_of(port, "name")), fmt::join(sizes, ", "));
}

/// "mse 12.5, mae 40.1": the numbers of an object.
std::string numbers_text(const Json& object) {
    std::vector<std::string> parts;
    for (const auto& [key, value] : object.items()) {
        if (value.is_number()) parts.push_back(fmt::format("{} {:.4g}", key, value.get<double>()));
    }
    return on_one_line(fmt::format("{}", fmt::join(parts, ", ")));
}

void print_line(const Console& console, const char* name, const std::string& text) {
    console.print(fmt::format("{:<12}{}", name, text));
}

/// What is not known is left out.
void print_record(const Json& record, const Console& console) {
    const auto text = [&](const char* key) { return text_of(value_of(record, key)); };
    const auto known = [&](const char* key) { return !value_of(record, key).is_null(); };
    const auto is = [&](const char* key) { return value_of(record, key) == Json(true); };
    print_line(console, "network",
               fmt::format("{}, {} parameters{}{}",
                           text_of(value_of(value_of(record, "model"), "translator")), text("parameters"),
                           is("folded") ? ", norms folded" : "", is("half") ? ", weights in bf16" : ""));
    print_line(console, "trained", fmt::format("{}, epoch {}", text("checkpoint"), text("epoch")));
    if (known("mean"))
        print_line(console, "normalised",
                   fmt::format("inside, by mean {} and deviation {}", text("mean"), text("std")));
    if (const auto range = ValueRange::from_json(value_of(record, "range")))
        print_line(console, "range", to_string(*range));
    if (known("fps")) print_line(console, "frame rate", text("fps") + " a second");
    if (const auto metrics = value_of(record, "metrics"); metrics.is_object())
        print_line(console, "metrics",
                   fmt::format("{} ({})", numbers_text(metrics), text_of(value_of(metrics, "of"))));
    print_line(console, "written by", fmt::format("stl {} ({})", text("version"), text("revision")));
}

void print_onnx(const onnx::Summary& file, const std::string& name, const Console& console) {
    std::int64_t nodes = 0;
    for (const auto& [operation, count] : file.operations) nodes += count;
    console.print(fmt::format("{}: ONNX, opset {}, {} nodes, {} of constants", name, file.opset, nodes,
                              bytes_text(file.tensor_bytes)));
    for (const auto& port : ports_json(file.inputs)) print_line(console, "input", port_text(port));
    for (const auto& port : ports_json(file.outputs)) print_line(console, "output", port_text(port));
}

}  // namespace

Json exported_json(const ExportedFile& file) {
    Json json = file.record.is_object() ? file.record : Json::object();
    json["format"] = file.format == ExportFormat::onnx ? "onnx" : "torchscript";
    if (file.onnx) {
        json["onnx"] = {{"opset", file.onnx->opset},
                        {"producer", file.onnx->producer},
                        {"producer_version", file.onnx->producer_version},
                        {"inputs", ports_json(file.onnx->inputs)},
                        {"outputs", ports_json(file.onnx->outputs)},
                        {"operations", file.onnx->operations},
                        {"tensors", file.onnx->tensors},
                        {"tensor_bytes", file.onnx->tensor_bytes}};
    }
    return json;
}

void print_exported(const ExportedFile& file, const std::string& name, const Console& console) {
    if (file.onnx) {
        print_onnx(*file.onnx, name, console);
    } else {
        console.print(fmt::format("{}: TorchScript, {}", name, bytes_text(fs::file_size(name))));
        print_line(console, "input", port_text(value_of(file.record, "input")));
        print_line(console, "output", port_text(value_of(file.record, "output")));
    }
    if (file.record.is_object()) return print_record(file.record, console);
    print_line(console, "written by", on_one_line(file.onnx->producer + " " + file.onnx->producer_version));
}

}  // namespace stl::tools
