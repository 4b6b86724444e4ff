#include "stl/gpu/emulated/grid.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "stl/gpu/emulated/fiber.h"

namespace stl::gpu::emulated {
namespace {

// Of every GPU since 2012 (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
constexpr dim3 largest_grid(2147483647, 65535, 65535), largest_block(1024, 1024, 64);
constexpr unsigned most_threads = 1024;

[[noreturn]] void refuse(const std::string& kernel, const std::string& why) {
    throw std::runtime_error(kernel + ": " + why);
}

std::string text(dim3 d) {
    return std::to_string(d.x) + " x " + std::to_string(d.y) + " x " + std::to_string(d.z);
}

std::size_t volume(dim3 d) {
    return std::size_t{d.x} * d.y * d.z;
}

bool is_within(dim3 d, dim3 most) {
    return volume(d) > 0 && d.x <= most.x && d.y <= most.y && d.z <= most.z;
}

void check_limits(const char* kernel, dim3 grid, dim3 block) {
    if (!is_within(grid, largest_grid))
        refuse(kernel, "a grid of " + text(grid) + ", at least 1 and at most " + text(largest_grid));
    if (!is_within(block, largest_block) || volume(block) > most_threads) {
        refuse(kernel, "a block of " + text(block) + ", at least 1 and at most " + text(largest_block) +
                           " and 1024 in all");
    }
}

dim3 place_of(std::size_t number, dim3 size) {
    const auto rest = number / size.x;
    return {static_cast<unsigned>(number % size.x), static_cast<unsigned>(rest % size.y),
            static_cast<unsigned>(rest / size.y)};
}

Order order = Order::ascending;
std::mt19937_64 engine;

/// 0 to size - 1 in the order asked for.
class Sequence {
  public:
    explicit Sequence(std::size_t size) : numbers_(size) {
        std::iota(numbers_.begin(), numbers_.end(), std::size_t{0});
        if (order == Order::descending) std::ranges::reverse(numbers_);
    }
    /// Another one of shuffled numbers.
    const std::vector<std::size_t>& next() {
        if (order == Order::shuffled) std::ranges::shuffle(numbers_, engine);
        return numbers_;
    }

  private:
    std::vector<std::size_t> numbers_;
};

class Block;
Block* running = nullptr;
std::vector<std::unique_ptr<Fiber>> fibers;  // kept from block to block

/// A block's threads. A fiber goes from thread to thread until one has to wait, and another goes on from
/// there: a kernel without barriers is a plain loop.
class Block {
  public:
    Block(const char* kernel, const std::function<void()>& thread)
        : kernel_(kernel),
          thread_(thread),
          threads_(volume(blockDim)),
          order_(threads_),
          fiber_of_(threads_) {
        running = this;
    }
    ~Block() { running = nullptr; }

    void run() {
        next_ = ended_ = 0;
        started_ = &order_.next();
        line_ = other_line_ = 0;
        for (std::size_t used = 0; next_ < threads_;) {
            const auto ended = ended_, starts = next_;
            resume(fiber(used));
            if (ended_ - ended < next_ - starts) ++used;  // its last thread waits
        }
        while (ended_ < threads_) {
            check_barrier();
            line_ = other_line_ = 0;
            for (const auto thread : order_.next()) resume(*fiber_of_[thread]);
        }
    }

    /// On a fiber: the threads that have not started.
    void start_threads() {
        while (next_ < threads_) {
            threadIdx = place_of((*started_)[next_++], blockDim);
            thread_();
            ++ended_;
        }
    }

    /// On a fiber, in a thread that reached a barrier.
    void wait(int line) {
        const auto here = threadIdx;
        fiber_of_[here.x + blockDim.x * (here.y + std::size_t{blockDim.y} * here.z)] = current_;
        if (line_ == 0) line_ = line;
        if (line_ != line) other_line_ = line;
        current_->pause();
        threadIdx = here;
    }

  private:
    static Fiber& fiber(std::size_t i) {
        if (i == fibers.size()) fibers.push_back(std::make_unique<Fiber>([] { running->start_threads(); }));
        return *fibers[i];
    }
    void resume(Fiber& fiber) {
        current_ = &fiber;
        fiber.resume();
    }
    /// All threads are to wait at the same barrier.
    void check_barrier() const {
        if (ended_ == 0 && other_line_ == 0) return;
        fibers.clear();  // they are in the midst of something
        const auto where =
            "block " + text(blockIdx) + ": threads wait at the barrier of line " + std::to_string(line_);
        if (ended_ > 0) refuse(kernel_, where + ", " + std::to_string(ended_) + " have ended");
        refuse(kernel_, where + ", others at that of line " + std::to_string(other_line_));
    }

    const char* kernel_;
    const std::function<void()>& thread_;
    std::size_t threads_;
    Sequence order_;
    std::vector<Fiber*> fiber_of_;                       // of a thread that waits
    const std::vector<std::size_t>* started_ = nullptr;  // in this order
    std::size_t next_ = 0, ended_ = 0;
    int line_ = 0, other_line_ = 0;  // of the barriers that threads wait at
    Fiber* current_ = nullptr;
};

}  // namespace

OrderScope::OrderScope(Order order_, std::uint64_t seed) {
    order = order_;
    engine.seed(seed);
}
OrderScope::~OrderScope() {
    order = Order::ascending;
}

void run_grid(const char* kernel, dim3 grid, dim3 block, const std::function<void()>& thread) {
    check_limits(kernel, grid, block);
    static std::mutex one_at_a_time;
    const std::scoped_lock lock(one_at_a_time);
    gridDim = grid;
    blockDim = block;
    Block threads(kernel, thread);
    Sequence blocks(volume(grid));
    for (const auto number : blocks.next()) {
        blockIdx = place_of(number, grid);
        threads.run();
    }
}

}  // namespace stl::gpu::emulated

void __syncthreads(int line) {
    stl::gpu::emulated::running->wait(line);
}
