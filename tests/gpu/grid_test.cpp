// The emulated grid itself: kernels that are right come out right in every order, and what a GPU would refuse
// or get stuck in is an error.
#include <gmock/gmock.h>

#include <stdexcept>
#include <vector>

#include "stl/gpu/cuda/launch.cuh"

namespace stl {
namespace {

using gpu::cuda::launch;
using gpu::emulated::Order;
using gpu::emulated::OrderScope;

struct Place {
    dim3 thread, block;
};
struct Task {
    int* out = nullptr;
    std::vector<Place>* places = nullptr;
};

__global__ void note_place(const Task t) {
    t.places->push_back({threadIdx, blockIdx});
}

__global__ void reverse_with_barrier(const Task t) {
    __shared__ int shared[64];
    shared[threadIdx.x] = t.out[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    t.out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void reverse_without_barrier(const Task t) {
    __shared__ int shared[64];
    shared[threadIdx.x] = t.out[blockIdx.x * blockDim.x + threadIdx.x];
    t.out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void write_one_place(const Task t) {
    *t.out = static_cast<int>(threadIdx.x);
}

__global__ void leave_before_the_barrier(const Task) {
    if (threadIdx.x == 3) return;
    __syncthreads();
}

__global__ void wait_at_two_barriers(const Task) {
    if (threadIdx.x == 3) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

/// Block b holds 64 b, 64 b + 1, ... from its end on.
std::vector<int> reversed(void (*kernel)(Task), Order order) {
    const OrderScope scope(order);
    std::vector<int> values(192);
    for (int i = 0; i < 192; ++i) values[static_cast<std::size_t>(i)] = i / 64 * 64 + 63 - i % 64;
    launch("reverse", kernel, 3, 64, nullptr, Task{.out = values.data()});
    return values;
}

std::vector<int> counted() {
    std::vector<int> values(192);
    for (int i = 0; i < 192; ++i) values[static_cast<std::size_t>(i)] = i;
    return values;
}

std::string refusal(dim3 grid, dim3 block, void (*kernel)(Task) = leave_before_the_barrier) {
    try {
        launch("kernel", kernel, grid, block, nullptr, Task{});
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

TEST(EmulatedGrid, RunsEveryThreadOfEveryBlockOnce) {
    for (const auto order : {Order::ascending, Order::descending, Order::shuffled}) {
        const OrderScope scope(order);
        std::vector<Place> places;
        launch("places", note_place, dim3(2, 3, 4), dim3(5, 3, 2), nullptr, Task{.places = &places});
        ASSERT_EQ(places.size(), 2U * 3 * 4 * 5 * 3 * 2);
        std::vector<int> seen(places.size());
        for (const auto& [t, b] : places)
            ++seen[(((((b.z * 3 + b.y) * 2 + b.x) * 2 + t.z) * 3 + t.y) * 5 + t.x)];
        EXPECT_THAT(seen, testing::Each(1));
    }
}

TEST(EmulatedGrid, ABarrierMakesTheOrderIrrelevant) {
    for (const auto order : {Order::ascending, Order::descending, Order::shuffled})
        EXPECT_EQ(reversed(reverse_with_barrier, order), counted());
}

TEST(EmulatedGrid, TheOrderShowsAMissingBarrier) {
    EXPECT_NE(reversed(reverse_without_barrier, Order::ascending), counted());
    EXPECT_NE(reversed(reverse_without_barrier, Order::descending), counted());
}

TEST(EmulatedGrid, TheOrderShowsAPlaceThatTwoThreadsWrite) {
    const auto last = [](Order order) {
        const OrderScope scope(order);
        int value = -1;
        launch("one place", write_one_place, 1, 32, nullptr, Task{.out = &value});
        return value;
    };
    EXPECT_EQ(last(Order::ascending), 31);
    EXPECT_EQ(last(Order::descending), 0);
}

TEST(EmulatedGrid, ShufflesBySeed) {
    const auto first = [](std::uint64_t seed) {
        const OrderScope scope(Order::shuffled, seed);
        std::vector<Place> places;
        launch("places", note_place, 1, 1024, nullptr, Task{.places = &places});
        return places.front().thread.x;
    };
    EXPECT_EQ(first(1), first(1));
    EXPECT_NE(first(1), first(2));
}

TEST(EmulatedGrid, RefusesWhatAGpuRefuses) {
    EXPECT_EQ(refusal(1, 1025),
              "kernel: a block of 1025 x 1 x 1, at least 1 and at most 1024 x 1024 x 64 and 1024 in all");
    EXPECT_NE(refusal(1, dim3(32, 33)), "");
    EXPECT_NE(refusal(1, dim3(1, 1, 65)), "");
    EXPECT_NE(refusal(1, 0), "");
    EXPECT_EQ(refusal(0, 1),
              "kernel: a grid of 0 x 1 x 1, at least 1 and at most 2147483647 x 65535 x 65535");
    EXPECT_NE(refusal(2147483648U, 1), "");
    EXPECT_NE(refusal(dim3(1, 65536), 1), "");
    EXPECT_NE(refusal(dim3(1, 1, 65536), 1), "");
    EXPECT_NE(refusal(dim3(1, 1, 0), 1), "");
}

TEST(EmulatedGrid, AThreadThatMissesABarrierIsAnError) {
    EXPECT_THAT(refusal(2, 32),
                testing::MatchesRegex("kernel: block 0 x 0 x 0: threads wait at the barrier of line [0-9]+, "
                                      "1 have ended"));
    EXPECT_THAT(refusal(1, 32, wait_at_two_barriers), testing::HasSubstr("others at that of line"));
    EXPECT_EQ(reversed(reverse_with_barrier, Order::ascending), counted());  // nothing is left of it
}

}  // namespace
}  // namespace stl
