// Finds where the first value that is not finite appears in a training step: in which layer's operation, forward or
// backward. Each operation waits for its result, so that a step takes much longer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "stl/models/simvp.h"
#include "stl/ops/operations.h"

namespace stl {

class AnomalyWatch {
  public:
    /// From here on every operation of `model`'s layers, computed by `operations`, and every gradient is looked at. To be
    /// done once, after the model is on its device; the watch must outlive the model's use.
    AnomalyWatch(SimVP& model, const std::shared_ptr<const ops::Operations>& operations);
    ~AnomalyWatch();
    AnomalyWatch(const AnomalyWatch&) = delete;
    AnomalyWatch& operator=(const AnomalyWatch&) = delete;

    /// Before a step. Inside it the first value that is not finite is an Error: "step 12: the first value that is not
    /// finite is in the result of conv2d in dec.readout; <ending>".
    void begin(std::int64_t step, std::string ending);

  private:
    class State;
    class Operations;
    std::shared_ptr<State> state_;
};

}  // namespace stl
