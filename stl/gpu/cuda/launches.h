// The launches that plugin.cpp puts into the table; each is defined in the .cu of its family.
#pragma once

#include "stl/gpu/kernel_table.h"

namespace stl::gpu::cuda {

void norm_silu(const NormTask& task, Stream stream);
void norm_silu_gradient_sums(const NormTask& task, Stream stream);
void norm_silu_gradient(const NormTask& task, Stream stream);
void depthwise(const DepthwiseTask& task, Stream stream);
void depthwise_filter_gradient(const DepthwiseTask& task, Stream stream);
void residual(const ResidualTask& task, Stream stream);
void residual_gradient(const ResidualTask& task, Stream stream);
void gate(const GateTask& task, Stream stream);
void gate_gradient(const GateTask& task, Stream stream);
void batch_norm(const BatchNormTask& task, Stream stream);
void batch_norm_gradient_sums(const BatchNormTask& task, Stream stream);
void batch_norm_gradient(const BatchNormTask& task, Stream stream);
void aggregation(const AggregationTask& task, Stream stream);
void aggregation_gradient(const AggregationTask& task, Stream stream);
void decomposition(const DecompositionTask& task, Stream stream);
void decomposition_gradient_sums(const DecompositionTask& task, Stream stream);
void decomposition_gradient(const DecompositionTask& task, Stream stream);
void adam(const AdamTask& task, Stream stream);
void moving_glyphs(const GlyphTask& task, Stream stream);

}  // namespace stl::gpu::cuda
