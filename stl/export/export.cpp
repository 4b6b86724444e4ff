#include "stl/export/export.h"

#include <algorithm>
#include <fstream>

#include "stl/archive/zip.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/export/onnx_graph.h"
#include "stl/export/trace.h"
#include "stl/models/translators/block.h"
#include "stl/run/normalizer.h"

namespace stl {
namespace {

/// Under which the record stands in an ONNX file's metadata; and in a TorchScript file's extra files.
constexpr const char* metadata_key = "stl";
constexpr const char* extra_file = "stl.json";

/// Of the weights' own epoch: those that `stl evaluate` measured, or else those of its validation; null where nothing is
/// recorded.
Json metrics_of(const TrainedNetwork& trained) {
    if (!trained.run) return nullptr;
    if (const auto file = trained.run->evaluation_file(); fs::exists(file)) {
        const auto evaluation = read_json(file);
        if (evaluation.value("epoch", Json(nullptr)) == Json(trained.epoch) &&
            evaluation.contains("per_frame")) {
            Json metrics{{"of", "test"}, {"test_set", evaluation.value("test_set", Json(nullptr))}};
            for (const auto& [key, values] : evaluation["per_frame"].items())
                metrics[key] = evaluation.value(key, Json(nullptr));
            metrics["ssim_mode"] = evaluation.value("ssim_mode", Json(nullptr));
            return metrics;
        }
    }
    for (auto line : trained.run->read_metrics().lines) {
        if (!line.contains("val_loss") || line.value("epoch", Json(nullptr)) != Json(trained.epoch)) continue;
        line.erase("epoch");
        Json metrics{{"of", "validation"}};
        metrics.update(line);
        return metrics;
    }
    return nullptr;
}

Json shape_of(const SimVPOptions& model, std::int64_t frames) {
    return {"batch", frames, model.channels, model.height, model.width};
}

/// Not where it lies: the file goes to other people.
std::string source_of(const TrainedNetwork& trained) {
    const auto name = trained.file.filename();
    return trained.run ? (fs::path(trained.run->name()) / name).string() : name.string();
}

/// What is known of the network and of the file.
Json record_of(const TrainedNetwork& trained, const ExportOptions& options, std::int64_t frames) {
    const auto& model = trained.network->options();
    Json record{{"version", version()},
                {"revision", revision()},
                {"input", {{"name", "frames"}, {"shape", shape_of(model, model.frames)}}},
                {"output", {{"name", "prediction"}, {"shape", shape_of(model, frames)}}},
                {"mean", nullptr},
                {"std", nullptr},
                {"range", trained.range ? trained.range->to_json() : Json(nullptr)},
                {"fps", trained.fps > 0 ? Json(trained.fps) : Json(nullptr)},
                {"model", model.to_json()},
                {"parameters", trained.network->parameter_count()},
                {"folded", options.fold},
                {"half", options.half},
                {"checkpoint", source_of(trained)},
                {"epoch", trained.epoch},
                {"metrics", metrics_of(trained)},
                {"experiment", trained.experiment}};
    trained.normalization.add_to(record);
    return record;
}

void save_torchscript(const torch::jit::Module& module, const Json& record, const fs::path& output,
                      bool replace) {
    AtomicFile file(output, replace);
    std::ofstream out(file.temporary(), std::ios::binary);
    module.save(out, {{extra_file, record.dump()}});
    out.close();
    if (!out) fail("{}: cannot be written", output.string());
    file.commit();
}

/// Null: not in it.
Json record_in_archive(const fs::path& path) {
    const MappedFile file(path);
    const ZipReader zip(file.bytes());
    const auto entry = std::ranges::find_if(zip.entries(), [](const ZipEntry& e) {
        return e.name.ends_with(fmt::format("/extra/{}", extra_file));
    });
    if (entry == zip.entries().end()) return nullptr;
    std::vector<std::byte> buffer;
    const auto text = zip.read(*entry, buffer);
    return parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, path.string());
}

Json record_in_metadata(const onnx::Metadata& metadata, const fs::path& path) {
    const auto found = metadata.find(metadata_key);
    return found == metadata.end() ? Json(nullptr) : parse_json(found->second, path.string() + ": metadata");
}

}  // namespace

ExportFormat export_format(const fs::path& output) {
    const auto extension = lower_case(output.extension().string());
    if (extension == ".onnx") return ExportFormat::onnx;
    if (extension == ".pt") return ExportFormat::torchscript;
    fail("{}: unknown format '{}', expected .onnx or .pt (TorchScript); stl convert writes checkpoints",
         output.string(), extension);
}

void export_network(TrainedNetwork trained, const fs::path& output, const ExportOptions& options) {
    const auto format = export_format(output);
    auto& network = *trained.network;
    const auto& model = network.options();
    const auto frames = options.frames > 0 ? options.frames : model.predicted_frames();
    const auto record = record_of(trained, options, frames);
    if (options.fold) network.hid->fold();
    const Normalizer normalizer(trained.normalization, torch::kCPU);
    const auto pass = [&](const torch::Tensor& x) {
        return normalizer.undo(network.predict(normalizer.apply(x), frames));
    };
    const auto traced = trace(
        network, pass,
        {.input_shape = {model.frames, model.channels, model.height, model.width}, .half = options.half});
    if (format == ExportFormat::torchscript) return save_torchscript(traced, record, output, options.replace);
    auto graph = to_onnx(traced, options.opset);
    graph.metadata[metadata_key] = record.dump();
    onnx::write_model(output, graph, options.replace);
}

std::optional<ExportedFile> read_exported(const fs::path& file) {
    const auto extension = lower_case(file.extension().string());
    if (extension == ".onnx") {
        auto summary = onnx::read_summary(file);
        auto record = record_in_metadata(summary.metadata, file);
        return ExportedFile{ExportFormat::onnx, std::move(record), std::move(summary)};
    }
    if (extension != ".pt" || !fs::is_regular_file(file)) return std::nullopt;
    try {
        auto record = record_in_archive(file);
        if (!record.is_object()) return std::nullopt;
        return ExportedFile{ExportFormat::torchscript, std::move(record)};
    } catch (const Error&) {
        return std::nullopt;  // a checkpoint may be called so too, and its reader knows more of it
    }
}

}  // namespace stl
