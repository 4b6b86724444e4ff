// The mean loss and the metrics of a model on a data set, in one pass and constant memory.
#pragma once

#include "stl/core/reporter.h"
#include "stl/data/dataset.h"
#include "stl/metrics/metrics.h"
#include "stl/models/simvp.h"
#include "stl/run/normalizer.h"

namespace stl {

struct Validation {
    double loss = 0;       ///< mean squared error per value of the network's range
    MetricValues metrics;  ///< in the stored range
};

/// The model is put into evaluation mode for the time. Throws Interrupted when `stop` says so.
Validation validate(SimVP model, const Dataset& data, std::int64_t batch_size, torch::Device device,
                    const Normalizer& normalizer = {}, const StopRequested& stop = {});

}  // namespace stl
