// A captured graph on a GPU; there is nothing of it to be seen elsewhere.
#include "tests/gpu/subject.h"

namespace stl {
namespace {

using torch::Tensor;

class GpuGraph : public test::KernelTest {
  protected:
    std::unique_ptr<gpu::Graph> make_graph() const { return kernels().make_graph(); }

    /// What a capture does not allow: the host waits for a value.
    static void expect_failure(gpu::Graph& graph, const Tensor& x) {
        graph.warm_up([&] { (x * 2).sum().item<float>(); });
        EXPECT_THROW(graph.capture([&] { (x * torch::rand_like(x)).sum().item<float>(); }), std::exception);
    }
};

TEST_P(GpuGraph, AfterACaptureThatFailedAnotherOneIsReplayed) {
    const auto x = torch::ones({1000}, device);
    expect_failure(*make_graph(), x);
    EXPECT_EQ((x * 3).sum().item<float>(), 3000);

    Tensor y;
    const auto work = [&] { y = 2 * x + torch::rand_like(x); };
    const auto graph = make_graph();
    graph->warm_up(work);
    y.reset();
    graph->capture(work);
    const auto replayed = [&](float value) {
        x.fill_(value);
        graph->replay();
        return (y - 2 * value).cpu();
    };
    const auto first = replayed(1), second = replayed(3);
    for (const auto& random : {first, second}) {
        EXPECT_GE(random.min().item<float>(), 0);
        EXPECT_LT(random.max().item<float>(), 1.001F);
        EXPECT_NEAR(random.mean().item<float>(), 0.5F, 0.1F);
    }
    EXPECT_FALSE(torch::allclose(first, second, 0, 1e-3)) << "the same random numbers again";
}

TEST_P(GpuGraph, ACaptureThatFailedLeavesTheGeneratorAsItWas) {
    torch::manual_seed(7);
    const auto x = torch::ones({1000}, device), before = torch::rand_like(x);
    const auto expected = torch::rand_like(x);
    torch::manual_seed(7);
    EXPECT_TRUE(torch::equal(torch::rand_like(x), before));
    expect_failure(*make_graph(), x);
    EXPECT_TRUE(torch::equal(torch::rand_like(x), expected));
    torch::manual_seed(7);
    EXPECT_TRUE(torch::equal(torch::rand_like(x), before));
}

INSTANTIATE_TEST_SUITE_P(devices, GpuGraph, testing::Values("cuda"), test::device_name);

}  // namespace
}  // namespace stl
