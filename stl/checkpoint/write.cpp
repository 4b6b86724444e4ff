#include "stl/archive/zip.h"
#include "stl/checkpoint/checkpoint.h"
#include "stl/checkpoint/tensors.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/pickle/writer.h"

namespace stl {
namespace {

/// Builds the pickle first, noting the tensors in it, then streams them: each is brought to the CPU, written,
/// dropped.
class TorchWriter {
  public:
    TorchWriter(std::string where, bool half) : where_(std::move(where)), half_(half) {}

    pickle::Writer& pickle() { return pickle_; }

    /// A weight is stored as bf16 if asked for; everything else as it is.
    void tensor(const torch::Tensor& tensor, bool weight = false) {
        const bool narrow = weight && half_ && tensor.is_floating_point();
        const auto type = narrow ? torch::kBFloat16 : tensor.scalar_type();
        pickle_.tensor(stored_type(type, where_), tensor.sizes().vec(), tensors_.size());
        tensors_.push_back({tensor, type});
    }

    void write(const fs::path& path) {
        ZipWriter zip(path, where_);
        zip.add("archive/data.pkl", pickle_.finish());
        zip.add("archive/.format_version", "1");
        zip.add("archive/byteorder", "little");
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const auto stored = stored_form(tensors_[i].tensor.to(tensors_[i].type));
            zip.add(fmt::format("archive/data/{}", i), bytes_of(stored));
        }
        zip.add("archive/version", "3\n");
        zip.finish();
    }

  private:
    struct Pending {
        torch::Tensor tensor;
        torch::ScalarType type;
    };
    std::string where_;
    bool half_;
    pickle::Writer pickle_;
    std::vector<Pending> tensors_;
};

/// What torch.optim's Adam or SGD expects in a group beside what training here sets. (decoupled_weight_decay
/// is what the group says; where it says nothing, torch's Adam and AdamW know it themselves.)
Json complete_group(const Json& group) {
    Json out{{"lr", 0.001},        {"weight_decay", 0},       {"maximize", false},
             {"foreach", nullptr}, {"differentiable", false}, {"fused", nullptr}};
    if (group.is_object() && group.contains("momentum")) {
        out.update({{"dampening", 0}, {"nesterov", false}});
    } else {
        out.update({{"betas", {0.9, 0.999}}, {"eps", 1e-8}, {"amsgrad", false}, {"capturable", false}});
    }
    if (group.is_object()) out.update(group);
    return out;
}

void write_group(pickle::Writer& out, const Json& group, std::size_t parameters) {
    const auto complete = complete_group(group);
    out.begin_dict();
    for (const auto& [key, value] : complete.items()) {
        out.text(key);
        if (key == "betas" && value.is_array()) {
            out.begin_tuple();
            for (const auto& beta : value) out.json(beta);
            out.end_tuple();
        } else {
            out.json(value);
        }
    }
    out.text("params");
    out.begin_list();
    for (std::size_t i = 0; i < parameters; ++i) out.integer(static_cast<std::int64_t>(i));
    out.end_list();
    out.end_dict();
}

void write_optimizer(TorchWriter& writer, const OptimizerState& optimizer) {
    auto& out = writer.pickle();
    out.begin_dict();
    out.text("state");
    out.begin_dict();
    for (std::size_t i = 0; i < optimizer.parameters.size(); ++i) {
        const auto& parameter = optimizer.parameters[i];
        if (!parameter.exp_avg.defined()) continue;
        out.integer(static_cast<std::int64_t>(i));
        out.begin_dict();
        if (parameter.exp_avg_sq.defined()) {
            out.text("step");
            writer.tensor(torch::tensor(parameter.step, torch::kFloat32));
            out.text("exp_avg");
            writer.tensor(parameter.exp_avg);
            out.text("exp_avg_sq");
            writer.tensor(parameter.exp_avg_sq);
        } else {
            out.text("momentum_buffer");
            writer.tensor(parameter.exp_avg);
        }
        out.end_dict();
    }
    out.end_dict();
    out.text("param_groups");
    out.begin_list();
    write_group(out, optimizer.group, optimizer.parameters.size());
    out.end_list();
    out.end_dict();
}

void write_named(TorchWriter& writer, const NamedTensors& tensors, bool weights) {
    for (const auto& [name, tensor] : tensors) {
        writer.pickle().text(name);
        writer.tensor(tensor, weights);
    }
}

void write_torch(const fs::path& path, const std::string& where, const Checkpoint& checkpoint, bool half) {
    TorchWriter writer(where, half);
    auto& out = writer.pickle();
    out.begin_dict();
    out.text("epoch");
    out.integer(checkpoint.epoch);
    out.text("state_dict");
    out.begin_ordered_dict();
    write_named(writer, checkpoint.state, true);
    out.end_dict();
    if (checkpoint.optimizer) {
        out.text("optimizer");
        write_optimizer(writer, *checkpoint.optimizer);
    }
    if (!checkpoint.scheduler.is_null()) {
        out.text("scheduler");
        out.json(checkpoint.scheduler);
    }
    if (!checkpoint.stl.is_null()) {
        out.text("stl");
        out.json(checkpoint.stl);
    }
    if (!checkpoint.hyper_parameters.is_null()) {
        out.text("hyper_parameters");
        out.json(checkpoint.hyper_parameters);
    }
    if (!checkpoint.extra.empty()) {
        out.text("stl_tensors");
        out.begin_dict();
        write_named(writer, checkpoint.extra, false);
        out.end_dict();
    }
    out.end_dict();
    writer.write(path);
}

void write_weights(const fs::path& path, const std::string& where, const Checkpoint& checkpoint, bool half) {
    std::vector<pickle::SafeTensorToWrite> tensors;
    for (const auto& [name, tensor] : checkpoint.state) {
        const auto type = half && tensor.is_floating_point() ? torch::kBFloat16 : tensor.scalar_type();
        tensors.push_back(
            {name, stored_type(type, where), tensor.sizes().vec(),
             [tensor = tensor, type](const auto& sink) { sink(bytes_of(stored_form(tensor.to(type)))); }});
    }
    std::map<std::string, std::string> metadata{{"format", "pt"},
                                                {"epoch", std::to_string(checkpoint.epoch)}};
    if (!checkpoint.stl.is_null()) metadata["stl"] = to_line(checkpoint.stl);
    pickle::write_safetensors(path, where, tensors, metadata);
}

}  // namespace

void write_checkpoint(const fs::path& path, const Checkpoint& checkpoint,
                      const CheckpointWriteOptions& options) {
    AtomicFile file(path, options.replace);
    const bool safetensors = lower_case(path.extension().string()) == ".safetensors";
    (safetensors ? write_weights : write_torch)(file.temporary(), path.string(), checkpoint, options.half);
    file.commit();
}

}  // namespace stl
