// A model's configuration, told from the names and shapes of its weights: for the checkpoints of the
// reference, which do not carry it. What stl writes does. By which weights a translator is recognised stands in the
// list of translators (models/registry.h).
#pragma once

#include <string>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/json.h"

namespace stl {

/// The `model` keys that names and shapes tell: translator, hid_S, hid_T, N_S, N_T, mlp_ratio (where the
/// translator has one), kernels, and "in_shape" [frames, channels] alone. Error if the weights are not those
/// of a SimVP.
Json infer_model(const NamedTensors& state, const std::string& where);
/// Whether the weights have a SimVP's encoder; its translator may be unknown.
bool has_encoder(const NamedTensors& state);

}  // namespace stl
