// Large tensors get the memory of those before them; how much is kept has a bound.
#include "stl/runtime/tensor_memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "stl/core/error.h"
#include "stl/runtime/device.h"

namespace stl {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

TEST(TensorMemory, ALargeTensorGetsWhatOneOfItsSizeLeft) {
    TensorMemory memory;
    void* before = nullptr;
    {
        const auto first = memory.allocate(20 * mebibyte);
        before = first.get();
        *static_cast<int*>(before) = 77;
        EXPECT_GE(memory.usage().in_use, 20 * mebibyte);
        EXPECT_EQ(memory.usage().kept, 0U);
    }
    EXPECT_EQ(memory.usage().in_use, 0U);
    EXPECT_GE(memory.usage().kept, 20 * mebibyte);
    const auto next = memory.allocate(20 * mebibyte);
    EXPECT_EQ(next.get(), before);
    EXPECT_EQ(*static_cast<int*>(next.get()), 77) << "it is the system's, empty";
    const auto beside = memory.allocate(20 * mebibyte);
    EXPECT_NE(beside.get(), before);
    EXPECT_EQ(memory.usage().kept, 0U);
}

TEST(TensorMemory, SmallTensorsAreMallocs) {
    TensorMemory memory;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}, 7 * mebibyte}) {
        const auto data = memory.allocate(bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data.get()) % 64, 0U) << bytes;
        std::memset(data.get(), 1, bytes);
    }
    EXPECT_EQ(memory.usage().most_in_use, 0U);
    EXPECT_EQ(memory.allocate(0).get(), nullptr);
}

TEST(TensorMemory, AllOfATensorCanBeWrittenAndIsAligned) {
    TensorMemory memory;
    std::vector<c10::DataPtr> all;
    for (const std::size_t bytes :
         {8 * mebibyte, 8 * mebibyte + 1, 9 * mebibyte - 64, 33 * mebibyte + 4095}) {
        all.push_back(memory.allocate(bytes));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all.back().get()) % 64, 0U) << bytes;
        std::memset(all.back().get(), static_cast<int>(all.size()), bytes);
    }
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(*static_cast<unsigned char*>(all[i].get()), i + 1);
}

TEST(TensorMemory, NoMoreIsMappedThanAnEighthBeyondTheMostInUse) {
    TensorMemory memory;
    std::mt19937 random(7);
    std::vector<c10::DataPtr> held;
    bool kept_some = false;
    for (int i = 0; i < 500; ++i) {
        if (held.size() < 4 || random() % 2 == 0) {
            held.push_back(memory.allocate((8 + random() % 40) * mebibyte));
        } else {
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % held.size()));
        }
        const auto usage = memory.usage();
        kept_some = kept_some || usage.kept > 0;
        ASSERT_LE(usage.in_use + usage.kept, usage.most_in_use + usage.most_in_use / 8);
    }
    EXPECT_TRUE(kept_some);
}

TEST(TensorMemory, ReleaseGivesBackWhatIsKept) {
    TensorMemory memory;
    const auto held = memory.allocate(10 * mebibyte);
    const auto in_use = memory.usage().in_use;
    memory.allocate(10 * mebibyte).clear();
    EXPECT_GT(memory.usage().kept, 0U);
    memory.release();
    EXPECT_EQ(memory.usage().kept, 0U);
    EXPECT_EQ(memory.usage().in_use, in_use);
    EXPECT_EQ(memory.usage().most_in_use, in_use);
    std::memset(held.get(), 1, 10 * mebibyte);
}

TEST(TensorMemory, WhatNoSystemHasIsOutOfMemory) {
    TensorMemory memory;
    memory.allocate(10 * mebibyte).clear();
    try {
        const auto data = memory.allocate(std::size_t{1} << 60);
        FAIL() << "it was given";
    } catch (const std::exception& error) {
        EXPECT_TRUE(is_out_of_memory(error)) << error.what();
    }
    EXPECT_EQ(memory.usage().in_use, 0U);
    EXPECT_LT(memory.usage().most_in_use, 20 * mebibyte) << "what was not given was never in use";
    EXPECT_NO_THROW(memory.allocate(10 * mebibyte).clear());
}

TEST(TensorMemory, ServesSeveralThreads) {
    TensorMemory memory;
    {
        std::vector<std::jthread> threads;
        threads.reserve(4);
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&memory, t] {
                for (int i = 0; i < 20000; ++i) {
                    const auto data = memory.allocate(10 * mebibyte);
                    std::atomic_ref value(*static_cast<int*>(data.get()));
                    value = t;
                    ASSERT_EQ(value, t);
                }
            });
        }
    }
    EXPECT_EQ(memory.usage().in_use, 0U);
}

TEST(TensorMemory, GivesWithoutAHandle) {
    TensorMemory memory;
    for (const std::size_t bytes : {std::size_t{100}, 10 * mebibyte}) {
        void* const data = memory.raw_allocate(bytes);
        std::memset(data, 1, bytes);
        memory.raw_deallocate(data);
    }
    EXPECT_EQ(memory.usage().in_use, 0U);
}

}  // namespace
}  // namespace stl
