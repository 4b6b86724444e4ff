#include "stl/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

#include "stl/core/error.h"
#include "stl/core/random.h"

namespace stl {
namespace {

using Order = std::vector<std::int64_t>;

/// Fisher and Yates's shuffle of 0..count-1 by (seed, epoch).
Order shuffled(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
    Order order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    StreamRandom random(seed ^ 0x6c6f61646572ULL, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    return order;
}

/// Buffers of one size, lent and given back. Lives as long as the last buffer.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
  public:
    using Buffer = std::shared_ptr<float[]>;
    BufferPool(std::int64_t elements, std::function<Buffer(std::int64_t)> allocate)
        : elements_(elements), allocate_(std::move(allocate)) {}

    Buffer lend() {
        // Whoever allocates keeps a pool of his own: LibTorch's of pinned memory waits for copies under way.
        if (allocate_) return allocate_(elements_);
        Buffer buffer;
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                buffer = std::move(free_.back());
                free_.pop_back();
            }
        }
        if (!buffer) buffer = std::make_shared_for_overwrite<float[]>(static_cast<std::size_t>(elements_));
        // The lent pointer holds the real one, and brings it back instead of freeing it.
        float* address = buffer.get();
        return {address,
                [pool = shared_from_this(), buffer](float*) mutable { pool->take_back(std::move(buffer)); }};
    }

  private:
    void take_back(Buffer buffer) {
        const std::lock_guard lock(mutex_);
        free_.push_back(std::move(buffer));
    }

    std::int64_t elements_;
    std::function<Buffer(std::int64_t)> allocate_;
    std::mutex mutex_;
    std::vector<Buffer> free_;
};

}  // namespace

class Loader::Impl {
  public:
    Impl(const Dataset& dataset, LoaderOptions options, std::int64_t first_epoch, std::int64_t first_batch)
        : dataset_(dataset), options_(std::move(options)), elements_(dataset.shape().elements()) {
        const auto size = options_.batch_size;
        if (size < 1) fail("loader: batch size {}, expected at least 1", size);
        if (size % options_.parts != 0)
            fail("loader: a batch of {} cannot be divided into {} equal parts", size, options_.parts);
        options_.shuffle = options_.shuffle && !dataset.generated();
        batches_ = options_.drop_last ? dataset.size() / size : (dataset.size() + size - 1) / size;
        if (batches_ < 1) fail("loader: {} sequences make no batch of {}", dataset.size(), size);
        claimed_ = given_ = first_epoch * batches_ + first_batch;
        pool_ = std::make_shared<BufferPool>(size / options_.parts * elements_, options_.allocate);
        const int threads = std::max(1, options_.threads);
        for (int i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
        }
        room_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    std::int64_t batches() const { return batches_; }

    Batch next() {
        std::unique_lock lock(mutex_);
        ready_.wait(lock, [this] { return done_.contains(given_); });
        auto result = std::move(done_.extract(given_).mapped());
        given_ += options_.stride;
        lock.unlock();
        room_.notify_all();
        if (result.error) std::rethrow_exception(result.error);
        return std::move(result.batch);
    }

  private:
    struct Result {
        Batch batch;
        std::exception_ptr error;
    };

    void work() {
        for (;;) {
            std::int64_t number = 0;
            {
                std::unique_lock lock(mutex_);
                room_.wait(lock, [this] {
                    return closing_ || claimed_ < given_ + options_.stride * std::max(1, options_.read_ahead);
                });
                if (closing_) return;
                number = claimed_;
                claimed_ += options_.stride;
            }
            Result result;
            try {
                result.batch = make(number);
            } catch (...) {
                result.error = std::current_exception();
            }
            {
                const std::lock_guard lock(mutex_);
                done_.emplace(number, std::move(result));
            }
            ready_.notify_all();
        }
    }

    Batch make(std::int64_t number) {
        Batch batch{.values = pool_->lend(), .epoch = number / batches_, .index = number % batches_};
        auto first = batch.index * options_.batch_size;
        const auto whole = std::min(options_.batch_size, dataset_.size() - first);
        batch.size = whole * (options_.part + 1) / options_.parts - whole * options_.part / options_.parts;
        first += whole * options_.part / options_.parts;
        const auto order = options_.shuffle ? order_of(batch.epoch) : nullptr;
        for (std::int64_t i = 0; i < batch.size; ++i) {
            const auto index = order ? (*order)[static_cast<std::size_t>(first + i)] : first + i;
            dataset_.fetch(batch.epoch, index,
                           {batch.values.get() + i * elements_, static_cast<std::size_t>(elements_)});
        }
        return batch;
    }

    std::shared_ptr<const Order> order_of(std::int64_t epoch) {
        const std::lock_guard lock(order_mutex_);
        auto& order = orders_[epoch];
        if (!order) order = std::make_shared<const Order>(shuffled(dataset_.size(), options_.seed, epoch));
        auto result = order;
        // Batches are claimed in order, so no worker comes back to an epoch before the last one.
        orders_.erase(orders_.begin(), orders_.lower_bound(epoch - 1));
        return result;
    }

    const Dataset& dataset_;
    LoaderOptions options_;
    std::int64_t elements_;
    std::int64_t batches_ = 0;
    std::shared_ptr<BufferPool> pool_;

    std::mutex mutex_;
    std::condition_variable room_, ready_;
    std::map<std::int64_t, Result>
        done_;                  ///< by the batch's number, counted from the first epoch's first batch
    std::int64_t claimed_ = 0;  ///< the next number that a worker takes
    std::int64_t given_ = 0;    ///< the next number that next() gives
    bool closing_ = false;

    std::mutex order_mutex_;
    std::map<std::int64_t, std::shared_ptr<const Order>> orders_;
    std::vector<std::thread> workers_;
};

Loader::Loader(const Dataset& dataset, LoaderOptions options, std::int64_t first_epoch,
               std::int64_t first_batch)
    : impl_(std::make_unique<Impl>(dataset, std::move(options), first_epoch, first_batch)) {}

Loader::~Loader() = default;

std::int64_t Loader::batches_per_epoch() const {
    return impl_->batches();
}

Batch Loader::next() {
    return impl_->next();
}

}  // namespace stl
