// Batches of a data set, made ahead of time by worker threads. The order of sequences depends on (seed,
// epoch) alone, never on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "stl/data/dataset.h"

namespace stl {

struct Batch {
    std::shared_ptr<float[]> values;  ///< [size,T,C,H,W]
    std::int64_t size = 0;
    std::int64_t epoch = 0;
    std::int64_t index = 0;  ///< of the batch within its epoch
};

struct LoaderOptions {
    std::int64_t batch_size = 16;
    bool shuffle = true;
    bool drop_last = false;
    std::uint64_t seed = 0;
    int threads = 1;
    int read_ahead = 4;  ///< batches
    /// Of each batch's sequences only one of `parts` equal shares, the `part`-th (from 0).
    std::int64_t part = 0, parts = 1;
    std::int64_t stride = 1;  ///< deliver only every so-many-th batch
    /// Allocates the memory of one batch; null: ordinary memory, which is reused. (Training on a GPU passes
    /// pinned memory.)
    std::function<std::shared_ptr<float[]>(std::int64_t elements)> allocate{};
};

/// Delivers epoch after epoch from (first_epoch, first_batch) without end. Batch b of epoch e is the same
/// whether or not the batches before it were requested. Data that are generated anew each epoch are not shuffled.
/// Error: drop_last is set and the data do not fill one batch; batch_size is not a multiple of `parts`.
class Loader {
  public:
    Loader(const Dataset& dataset, LoaderOptions options, std::int64_t first_epoch = 0,
           std::int64_t first_batch = 0);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    /// Batches in one epoch.
    std::int64_t batches_per_epoch() const;
    /// The next batch in order. Rethrows a worker's exception. The buffer lives as long as the batch.
    Batch next();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace stl
