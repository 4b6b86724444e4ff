// TaxiBJ (J. Zhang, Y. Zheng, D. Qi: Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows
// Prediction, AAAI 2017) as the reference keeps it: dataset.npz with X_train, Y_train, X_test, Y_test, each
// float [N,4,2,32,32] in [-1,1]; X is seen, Y is to be predicted. Stored as (value + 1) / 2, X before Y.
#pragma once

#include "stl/import/layouts/layout.h"

namespace stl {

void import_taxibj(LayoutJob& job);

}  // namespace stl
