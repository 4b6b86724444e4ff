// The loader: batches in an order of (seed, epoch) alone, whatever the number of threads.
#include "stl/data/loader.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <thread>

#include "tests/support/files.h"

namespace stl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Sequence i of epoch e is the value 1000 e + i.
class Counting : public Dataset {
  public:
    explicit Counting(std::int64_t size, bool generated = false) : size_(size), generated_(generated) {}
    std::int64_t size() const override { return size_; }
    SequenceShape shape() const override { return {1, 1, 1, 1}; }
    void fetch(std::int64_t epoch, std::int64_t index, std::span<float> out) const override {
        ++fetched;
        if (index == broken) fail("sequence {} is broken", index);
        if (index % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        out[0] = static_cast<float>(1000 * epoch + index);
    }
    std::string describe() const override { return "counting"; }
    bool generated() const override { return generated_; }

    std::int64_t broken = -1;
    mutable std::atomic<int> fetched = 0;

  private:
    std::int64_t size_;
    bool generated_;
};

std::vector<float> values(const Batch& batch) {
    return {batch.values.get(), batch.values.get() + batch.size};
}

std::vector<std::vector<float>> take(Loader& loader, std::int64_t batches) {
    std::vector<std::vector<float>> all;
    for (std::int64_t i = 0; i < batches; ++i) all.push_back(values(loader.next()));
    return all;
}

TEST(Loader, KeepsTheStoredOrderWithoutShuffling) {
    const Counting data(7);
    Loader loader(data, {.batch_size = 3, .shuffle = false});
    EXPECT_EQ(loader.batches_per_epoch(), 3);
    EXPECT_THAT(take(loader, 4), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5), ElementsAre(6),
                                             ElementsAre(1000, 1001, 1002)));
}

TEST(Loader, BatchesSayWhichTheyAre) {
    const Counting data(7);
    Loader loader(data, {.batch_size = 3, .drop_last = true}, 2, 1);
    EXPECT_EQ(loader.batches_per_epoch(), 2);
    const auto first = loader.next();
    EXPECT_EQ(first.epoch, 2);
    EXPECT_EQ(first.index, 1);
    EXPECT_EQ(first.size, 3);
    const auto second = loader.next();
    EXPECT_EQ(second.epoch, 3);
    EXPECT_EQ(second.index, 0);
}

TEST(Loader, OrderDoesNotDependOnThreads) {
    const Counting data(50);
    const auto run = [&](int threads, int read_ahead) {
        Loader loader(data, {.batch_size = 4, .seed = 9, .threads = threads, .read_ahead = read_ahead});
        return take(loader, 3 * loader.batches_per_epoch());
    };
    const auto one = run(1, 1);
    EXPECT_EQ(run(4, 8), one);
    EXPECT_EQ(run(3, 1), one);
}

TEST(Loader, PartsOfABatchMakeItUp) {
    const Counting data(50);
    const LoaderOptions whole{.batch_size = 8, .drop_last = true, .seed = 4, .threads = 2};
    Loader all(data, whole);
    std::vector<std::unique_ptr<Loader>> parts;
    for (std::int64_t part = 0; part < 4; ++part) {
        auto options = whole;
        options.part = part;
        options.parts = 4;
        parts.push_back(std::make_unique<Loader>(data, options));
        EXPECT_EQ(parts.back()->batches_per_epoch(), all.batches_per_epoch());
    }
    for (int batch = 0; batch < 13; ++batch) {
        std::vector<float> joined;
        for (const auto& part : parts) {
            const auto own = values(part->next());
            EXPECT_EQ(own.size(), 2U);
            joined.insert(joined.end(), own.begin(), own.end());
        }
        EXPECT_EQ(joined, values(all.next()));
    }
    auto uneven = whole;
    uneven.parts = 3;
    EXPECT_THAT(
        [&] { Loader(data, uneven); },
        testing::ThrowsMessage<Error>(HasSubstr("a batch of 8 cannot be divided into 3 equal parts")));
}

TEST(Loader, AStrideTakesEverySoManyThBatch) {
    const Counting data(11);
    const LoaderOptions options{
        .batch_size = 2, .shuffle = false, .threads = 3, .read_ahead = 2, .stride = 2};
    Loader even(data, options), odd(data, options, 0, 1);
    EXPECT_THAT(take(even, 3), ElementsAre(ElementsAre(0, 1), ElementsAre(4, 5), ElementsAre(8, 9)));
    EXPECT_THAT(take(odd, 3), ElementsAre(ElementsAre(2, 3), ElementsAre(6, 7), ElementsAre(10)));
}

TEST(Loader, EveryEpochIsAnotherOrderOfAll) {
    const Counting data(50);
    Loader loader(data, {.batch_size = 50, .seed = 1, .threads = 2});
    std::set<std::vector<float>> orders;
    for (int epoch = 0; epoch < 4; ++epoch) {
        auto order = values(loader.next());
        for (auto& value : order) value -= static_cast<float>(1000 * epoch);
        orders.insert(order);
        std::ranges::sort(order);
        std::vector<float> all(50);
        std::iota(all.begin(), all.end(), 0);
        EXPECT_EQ(order, all);
    }
    EXPECT_EQ(orders.size(), 4U);
    Loader other(data, {.batch_size = 50, .seed = 2});
    EXPECT_FALSE(orders.contains(values(other.next())));
}

/// Over many epochs every sequence comes first about equally often.
TEST(Loader, ShufflesEvenly) {
    const Counting data(4);
    Loader loader(data, {.batch_size = 4, .seed = 3});
    std::array<int, 4> first{};
    constexpr int epochs = 4000;
    for (int epoch = 0; epoch < epochs; ++epoch) {
        ++first.at(static_cast<std::size_t>(values(loader.next())[0] - static_cast<float>(1000 * epoch)));
    }
    for (const auto n : first) EXPECT_NEAR(n, epochs / 4, 120);
}

TEST(Loader, RestartsAnywhere) {
    const Counting data(23);
    const LoaderOptions options{.batch_size = 4, .seed = 5, .threads = 2};
    Loader whole(data, options);
    const auto all = take(whole, 18);
    for (const auto& [epoch, batch] : {std::pair{0, 5}, {1, 0}, {2, 3}}) {
        Loader part(data, options, epoch, batch);
        const auto at = static_cast<std::ptrdiff_t>(epoch * part.batches_per_epoch() + batch);
        EXPECT_EQ(take(part, 3), std::vector(all.begin() + at, all.begin() + at + 3))
            << epoch << " " << batch;
    }
}

TEST(Loader, GeneratedDataIsNotShuffled) {
    const Counting data(4, /*generated=*/true);
    Loader loader(data, {.batch_size = 4, .seed = 5});
    EXPECT_THAT(values(loader.next()), ElementsAre(0, 1, 2, 3));
}

TEST(Loader, ErrorsComeWhereTheirBatchWouldBe) {
    Counting data(12);
    data.broken = 5;
    Loader loader(data, {.batch_size = 3, .shuffle = false, .threads = 3});
    EXPECT_THAT(values(loader.next()), ElementsAre(0, 1, 2));
    EXPECT_THAT(test::error_of([&] { loader.next(); }), HasSubstr("sequence 5 is broken"));
    EXPECT_THAT(values(loader.next()), ElementsAre(6, 7, 8));
}

TEST(Loader, ReadsAheadButNotWithoutEnd) {
    const Counting data(1000);
    Loader loader(data, {.batch_size = 1, .shuffle = false, .threads = 2, .read_ahead = 4});
    loader.next();
    for (int i = 0; i < 200 && data.fetched < 5; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(data.fetched, 5);
}

TEST(Loader, BuffersOutliveTheLoader) {
    const Counting data(40);
    Batch kept;
    {
        Loader loader(data, {.batch_size = 2, .shuffle = false, .read_ahead = 2});
        for (int i = 0; i < 60; ++i) kept = loader.next();
    }
    EXPECT_EQ(kept.epoch, 2);
    EXPECT_THAT(values(kept), ElementsAre(2038, 2039));
}

/// A pinned buffer may still be read by a copy under way when its batch is gone: only its allocator knows.
TEST(Loader, BuffersOfAnAllocatorGoBackToIt) {
    const Counting data(40);
    std::atomic<int> allocated = 0, freed = 0;
    {
        Loader loader(
            data, {.batch_size = 2, .shuffle = false, .read_ahead = 2, .allocate = [&](std::int64_t n) {
                       ++allocated;
                       return std::shared_ptr<float[]>(new float[static_cast<std::size_t>(n)], [&](float* p) {
                           ++freed;
                           delete[] p;
                       });
                   }});
        for (int i = 0; i < 20; ++i) loader.next();
        EXPECT_GE(freed, 18);
    }
    EXPECT_GE(allocated, 20);
    EXPECT_EQ(freed, allocated);
}

TEST(Loader, TooFewSequencesAreRefused) {
    const Counting data(3);
    EXPECT_THAT(test::error_of([&] { Loader(data, {.batch_size = 4, .drop_last = true}); }),
                HasSubstr("3 sequences make no batch of 4"));
    EXPECT_THAT(test::error_of([&] { Loader(data, {.batch_size = 0}); }), HasSubstr("batch size 0"));
}

}  // namespace
}  // namespace stl
