// The transport's operations, with every type of values that it has.
#include <gmock/gmock.h>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "stl/core/error.h"
#include "tests/in_ranks/group.h"

namespace stl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr torch::ScalarType types[] = {torch::kFloat32, torch::kFloat64, torch::kInt8, torch::kUInt8,
                                       torch::kInt16,   torch::kInt32,   torch::kInt64};

c10d::Backend& backend() {
    return *ranks().engine()->getBackend(torch::kCPU);
}

/// Other values on every rank, small enough for every type.
torch::Tensor of_rank(int rank, torch::ScalarType type) {
    return (torch::arange(5) + 3 * rank + 1).to(type);
}

torch::Tensor reduced(torch::ScalarType type, c10d::ReduceOp operation) {
    std::vector<torch::Tensor> tensors{of_rank(ranks().rank(), type)};
    c10d::AllreduceOptions options;
    options.reduceOp = operation;
    backend().allreduce(tensors, options)->wait();
    return tensors.front();
}

TEST(Operations, ReduceInEveryTypeAndWay) {
    for (const auto type : types) {
        auto sum = of_rank(0, type), least = sum, most = sum;
        for (int rank = 1; rank < ranks().size(); ++rank) {
            const auto x = of_rank(rank, type);
            sum = sum + x;
            least = torch::minimum(least, x);
            most = torch::maximum(most, x);
        }
        EXPECT_TRUE(torch::equal(reduced(type, c10d::ReduceOp::SUM), sum)) << type;
        EXPECT_TRUE(torch::equal(reduced(type, c10d::ReduceOp::MIN), least)) << type;
        EXPECT_TRUE(torch::equal(reduced(type, c10d::ReduceOp::MAX), most)) << type;
    }
    auto product = of_rank(0, torch::kFloat64);
    for (int rank = 1; rank < ranks().size(); ++rank) product = product * of_rank(rank, torch::kFloat64);
    EXPECT_TRUE(torch::equal(reduced(torch::kFloat64, c10d::ReduceOp::PRODUCT), product));
}

TEST(Operations, BroadcastEveryTypeFromAnyRank) {
    for (const auto type : types) {
        for (int root = 0; root < ranks().size(); ++root) {
            std::vector<torch::Tensor> tensors{of_rank(ranks().rank(), type)};
            c10d::BroadcastOptions options;
            options.rootRank = root;
            backend().broadcast(tensors, options)->wait();
            EXPECT_TRUE(torch::equal(tensors.front(), of_rank(root, type))) << type << " from " << root;
        }
    }
}

TEST(Operations, GatherEveryTypeInTheRanksOrder) {
    for (const auto type : types) {
        std::vector<torch::Tensor> mine{of_rank(ranks().rank(), type)};
        std::vector<std::vector<torch::Tensor>> all(1);
        for (int rank = 0; rank < ranks().size(); ++rank) all[0].push_back(torch::zeros({5}, type));
        backend().allgather(all, mine)->wait();
        for (int rank = 0; rank < ranks().size(); ++rank)
            EXPECT_TRUE(torch::equal(all[0][static_cast<std::size_t>(rank)], of_rank(rank, type))) << type;
    }
}

TEST(Operations, ManyAtOnceKeepTheirOrder) {
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    std::vector<std::vector<torch::Tensor>> tensors;
    for (int i = 0; i < 50; ++i)
        tensors.push_back({torch::full({1000}, i + ranks().rank(), torch::kFloat32)});
    for (auto& one : tensors) works.push_back(backend().allreduce(one));
    const int size = ranks().size();
    for (int i = 0; i < 50; ++i) {
        works[static_cast<std::size_t>(i)]->wait();
        EXPECT_TRUE(works[static_cast<std::size_t>(i)]->isSuccess());
        const double sum = size * i + size * (size - 1) / 2.0;
        EXPECT_EQ(tensors[static_cast<std::size_t>(i)][0].mean().item<double>(), sum);
    }
}

TEST(Operations, RefuseWhatMpiHasNot) {
    std::vector<torch::Tensor> half{torch::zeros({2}, torch::kFloat16)};
    EXPECT_THAT([&] { backend().allreduce(half); },
                ThrowsMessage<std::runtime_error>(HasSubstr("has no values of type Half")));
    std::vector<torch::Tensor> strided{torch::zeros({4, 4}).t().slice(0, 0, 2)};
    EXPECT_THAT([&] { backend().allreduce(strided); },
                ThrowsMessage<std::runtime_error>(HasSubstr("not contiguous")));
}

TEST(Group, GathersBytesOfAnyLengthAndNumbers) {
    const auto mine = std::string(static_cast<std::size_t>(ranks().rank()), '\0') + "x";
    const auto all = ranks().gather(mine);
    ASSERT_EQ(all.size(), static_cast<std::size_t>(ranks().size()));
    for (std::size_t rank = 0; rank < all.size(); ++rank) EXPECT_EQ(all[rank], std::string(rank, '\0') + "x");
    const auto numbers = ranks().gather(std::vector<double>{0.1 * ranks().rank()});
    for (std::size_t rank = 0; rank < all.size(); ++rank)
        EXPECT_THAT(numbers[rank], ElementsAre(0.1 * static_cast<double>(rank)));
    EXPECT_EQ(ranks().broadcast(fmt::format("from {}", ranks().rank())), "from 0");
    EXPECT_EQ(ranks().mean(ranks().rank()), (ranks().size() - 1) / 2.0);
    EXPECT_TRUE(ranks().any(ranks().rank() == 1));
    EXPECT_FALSE(ranks().any(false));
}

TEST(Group, BroadcastsTensorsOfSeveralTypes) {
    const auto here = static_cast<double>(ranks().rank());
    const std::vector<torch::Tensor> tensors{
        torch::full({3, 2}, here), torch::full({}, ranks().rank(), torch::kInt64), torch::full({7}, here + 1),
        torch::full({2}, here, torch::kFloat64)};
    ranks().broadcast(tensors);
    EXPECT_TRUE(torch::equal(tensors[0], torch::zeros({3, 2})));
    EXPECT_EQ(tensors[1].item<std::int64_t>(), 0);
    EXPECT_TRUE(torch::equal(tensors[2], torch::ones({7})));
    EXPECT_TRUE(torch::equal(tensors[3], torch::zeros({2}, torch::kFloat64)));
}

TEST(Group, AFailureOfOneIsEverybodys) {
    const auto failing = [](int rank) {
        return [rank] {
            if (rank < 0 || ranks().rank() == rank) fail("a.h5: missing");
        };
    };
    EXPECT_THAT(
        [&] { ranks().together(failing(1)); },
        ThrowsMessage<Error>(testing::AllOf(HasSubstr("rank 1 on host "), HasSubstr(": a.h5: missing"))));
    EXPECT_THAT([&] { ranks().together(failing(-1)); }, ThrowsMessage<Error>("a.h5: missing"));
    EXPECT_NO_THROW(ranks().together([] {}));
    EXPECT_TRUE(ranks().failed_together());
}

TEST(Group, FindsRanksThatDiffer) {
    EXPECT_NO_THROW(ranks().require_same("revisions", "a"));
    EXPECT_THAT([] { ranks().require_same("revisions", ranks().rank() == 1 ? "b" : "a"); },
                ThrowsMessage<Error>(HasSubstr("its revisions differ from those of rank 0 (b, rank 0: a)")));
    auto weights = std::vector{torch::ones({100}), torch::zeros({3})};
    EXPECT_NO_THROW(ranks().require_same("the weights", weights));
    // One bit of one value.
    if (ranks().rank() == 1) weights[0].data_ptr<float>()[7] = std::nextafter(1.0F, 2.0F);
    EXPECT_THAT([&] { ranks().require_same("the weights", weights); },
                ThrowsMessage<Error>(HasSubstr("the weights of rank 1 on host ")));
}

}  // namespace
}  // namespace stl
