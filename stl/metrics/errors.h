// MSE, MAE and RMSE, from the frames' sums. In the values' own units, before any clipping.
#pragma once

#include "stl/metrics/metric.h"

namespace stl {

/// [N,groups], the sum over a group's values or, with MetricOptions::spatial_norm, their mean.
std::vector<double> squared_error(const MeasuredFrames& frames);
std::vector<double> absolute_error(const MeasuredFrames& frames);
/// RMSE of a mean squared error.
double root(double mean);

}  // namespace stl
