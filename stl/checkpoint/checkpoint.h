// Checkpoints: weights by the reference's names, what the optimizer and the schedule need to go on, and our
// own record beside them.
//
// Read: .pth (training dictionary, plain state dict, or one inside another dictionary; zip or legacy), Lightning
// .ckpt, .safetensors, our own. Written: .pth (opens with torch.load(weights_only=True)) and .safetensors, by
// extension. Reading a pickle runs nothing: stl/pickle interprets it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/array.h"
#include "stl/core/file.h"
#include "stl/core/json.h"
#include "stl/models/simvp.h"
#include "stl/runtime/torch.h"

namespace stl {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// The state of torch.optim's Adam, AdamW or SGD with momentum, in the order of the model's parameters. Of
/// SGD, exp_avg is the momentum_buffer, and neither steps nor exp_avg_sq are there.
struct OptimizerState {
    struct PerParameter {
        double step = 0;
        torch::Tensor exp_avg;
        torch::Tensor exp_avg_sq;
    };
    std::vector<PerParameter> parameters;  ///< empty tensors where the optimizer had no state yet
    Json group;  ///< lr, betas, eps, weight_decay, initial_lr, ...; of SGD momentum instead of betas and eps

    /// Made so far: the parameters' largest number.
    std::int64_t steps() const;
};

struct Checkpoint {
    NamedTensors state;  ///< parameters and buffers, the reference's names, in its order
    std::optional<OptimizerState> optimizer;
    Json scheduler;  ///< plain values of the scheduler's state (null if absent)
    std::int64_t epoch = 0;
    std::optional<std::int64_t> global_step;  ///< Lightning's count of optimizer steps
    /// Ours, under the key "stl": {"model": {...}, "experiment": {...}, "step": n, "rng": ..., ...}; null if
    /// absent.
    Json stl;
    /// Lightning's record of the constructor's arguments; null if absent.
    Json hyper_parameters;
    /// Tensors of ours beside it (random states): "stl_tensors".
    NamedTensors extra;
    /// Lines for the user: objects that were left out, other sets of weights beside the one taken.
    std::vector<std::string> notes;
};

/// FILE or FILE:KEY, where KEY chooses among several sets of weights in a file: 'model_ema' of {'model': ...,
/// 'model_ema': ...} or of names 'model_ema.enc...'.
struct CheckpointName {
    fs::path file;
    std::string key;  ///< empty: the usual one
};
/// A file of the whole name goes first.
CheckpointName split_checkpoint_name(const fs::path& name);

/// `name`: FILE or FILE:KEY. Tensors view the mapped file where their storage allows it (copy before writing to
/// them). `with_optimizer` false skips what only training needs. Objects of unknown classes beside the weights are
/// left out, with a note.
Checkpoint read_checkpoint(const fs::path& name, bool with_optimizer = true);

struct CheckpointWriteOptions {
    bool half = false;    ///< floating-point weights as bf16
    bool replace = true;  ///< a file that is there; else it is an Error
};
/// Atomic. The format goes by the extension (.safetensors, else .pth).
void write_checkpoint(const fs::path& path, const Checkpoint& checkpoint,
                      const CheckpointWriteOptions& options = {});

/// The model's configuration: the file's own, else inferred from names and shapes.
/// What can't be inferred (the frame size, for most translators; what `hints` leaves open) is asked for by
/// name. `hints` holds keys of a model.json given beside it (it wins), or null; `hints_where` is that file,
/// for messages about it.
SimVPOptions model_options(const Checkpoint& checkpoint, const Json& hints, const std::string& where,
                           const std::string& hints_where = "--model");

/// A model.json as SimVPOptions reads it: of an experiment its model, the peer's spellings become ours, and those of
/// its config.json's keys that say nothing here are left out.
Json model_keys(Json json, const std::string& where);

/// Copies weights into the model. Error listing missing, unexpected and wrongly shaped names.
/// Buffers that later versions of the reference do not store may be absent; a mask for another frame size is
/// passed over.
void load_weights(SimVPImpl& model, const NamedTensors& state, const std::string& where);
NamedTensors state_of(const SimVPImpl& model);

}  // namespace stl
