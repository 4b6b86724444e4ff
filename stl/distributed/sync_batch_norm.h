// Batch norm with the statistics of all ranks' sequences, in training.
#pragma once

#include <memory>

#include "stl/ops/operations.h"

namespace stl {

class Group;

/// ops::fast_operations() of a CPU, or the plain ones (`fast` false), whose batch norms in training, also those within
/// other operations, take mean and variance over all ranks, and whose gradients are those of the sum of the ranks'
/// losses. `group` must outlive them; all ranks must run the same passes. Where the kernels fuse an operation with batch
/// norm, the fused form is not used.
std::shared_ptr<const ops::Operations> with_sync_batch_norm(const Group& group, bool fast);

}  // namespace stl
