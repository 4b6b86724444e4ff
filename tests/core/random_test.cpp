// Random engines: CPython's numbers exactly, and streams that don't know each other.
#include "stl/core/random.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <vector>

namespace stl {
namespace {

using testing::ElementsAre;

/// As CPython 3 gives them for random.Random(seed), each row from a fresh generator.
struct Known {
    std::uint64_t seed;
    std::vector<std::uint32_t> words;    ///< getrandbits(32)
    std::vector<double> reals;           ///< random()
    std::vector<std::int64_t> integers;  ///< randint(0, 59999)
    std::vector<std::int64_t> mixed;  ///< _randbelow(1), getrandbits(5), randint(-3, 3), after the integers
};

const std::vector<Known> known{{0,
                                {3626764237, 1654615998, 3255389356},
                                {0x1.b0580f98a7dbep-1, 0x1.84129978f9c1ap-1},
                                {55340, 25247, 49673, 58343},
                                {0, 1, -1}},
                               {1,
                                {577090037, 2444712010, 3639700191},
                                {0x1.132d8f91b7584p-3, 0x1.b1e2d5b3584f8p-1},
                                {8805, 37303, 55537, 52577},
                                {0, 8, -3}},
                               {42,
                                {2746317213, 478163327, 107420369},
                                {0x1.4762f307200c5p-1, 0x1.99c6b5eeb2060p-6},
                                {41905, 7296, 1639, 48598},
                                {0, 7, -2}},
                               // Seeds of two words.
                               {4294967303,
                                {968553300, 3287823873, 1540179448},
                                {0x1.cdd79ac3f8360p-3, 0x1.6f3517abe7aa2p-2},
                                {14778, 50168, 23501, 22479},
                                {0, 30, 0}},
                               {9223372036854775813ULL,
                                {1478493593, 736485321, 1981690036},
                                {0x1.60801615f2efep-2, 0x1.d878c2cfd1166p-2},
                                {22560, 11237, 30238, 40866},
                                {0, 1, -2}}};

TEST(PythonRandom, GivesCPythonsNumbers) {
    for (const auto& k : known) {
        PythonRandom words(k.seed);
        for (const auto word : k.words) EXPECT_EQ(words.getrandbits(32), word) << k.seed;
        PythonRandom reals(k.seed);
        for (const auto real : k.reals) EXPECT_EQ(reals.random(), real) << k.seed;
        PythonRandom integers(k.seed);
        for (const auto integer : k.integers) EXPECT_EQ(integers.randint(0, 59999), integer) << k.seed;
        EXPECT_EQ(integers.randbelow(1), k.mixed[0]) << k.seed;
        EXPECT_EQ(integers.getrandbits(5), k.mixed[1]) << k.seed;
        EXPECT_EQ(integers.randint(-3, 3), k.mixed[2]) << k.seed;
    }
}

TEST(PythonRandom, GoesOnAfterItsStateIsUsedUp) {
    PythonRandom random(0);
    std::uint32_t last = 0;
    for (int i = 0; i < 2000; ++i) last = random.next_u32();
    EXPECT_EQ(last, 3908016617U);
}

TEST(StreamRandom, DependsOnSeedAndStreamAlone) {
    std::set<std::uint64_t> first;
    for (std::uint64_t seed = 0; seed < 100; ++seed)
        for (std::uint64_t stream = 0; stream < 100; ++stream)
            first.insert(StreamRandom(seed, stream).next_u64());
    EXPECT_EQ(first.size(), 10'000U);
    StreamRandom a(3, 4);
    StreamRandom b(3, 4);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(a.next_u64(), b.next_u64());
}

TEST(StreamRandom, HasTheDistributionsItSays) {
    StreamRandom random(1, 2);
    constexpr int n = 200'000;
    double uniform = 0;
    double normal = 0;
    double squares = 0;
    std::vector<int> below(7);
    for (int i = 0; i < n; ++i) {
        const double u = random.uniform();
        ASSERT_TRUE(u >= 0 && u < 1);
        uniform += u;
        const double z = random.normal();
        ASSERT_TRUE(std::isfinite(z));
        normal += z;
        squares += z * z;
        ++below.at(random.below(7));
    }
    EXPECT_NEAR(uniform / n, 0.5, 0.004);
    EXPECT_NEAR(normal / n, 0, 0.012);
    EXPECT_NEAR(squares / n, 1, 0.02);
    for (const auto count : below) EXPECT_NEAR(count, n / 7.0, 900);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0U);
}

}  // namespace
}  // namespace stl
