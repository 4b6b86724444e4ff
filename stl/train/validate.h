// The mean loss and the metrics of a model on a data set, in one pass and constant memory.
#pragma once

#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/distributed/group.h"
#include "stl/metrics/metrics.h"
#include "stl/models/simvp.h"
#include "stl/run/normalizer.h"

namespace stl {

struct Validation {
    double loss = 0;       ///< mean squared error per value, in the network's normalised values
    MetricValues metrics;  ///< in the stored range
};

/// Puts the model into evaluation mode while it runs. Throws Interrupted when `stop` returns true.
/// group: whose ranks, with the same model each, take every so-many-th batch; `stop` is asked at the same time on all, and
/// has to answer all alike; the result is the same on all. Null: one device.
Validation validate(SimVP model, const Dataset& data, std::int64_t batch_size, torch::Device device,
                    const Normalizer& normalizer = {}, const StopRequested& stop = {},
                    const Group* group = nullptr);

}  // namespace stl
