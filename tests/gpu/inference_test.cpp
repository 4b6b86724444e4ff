// Fast inference on a GPU against the plain network, for every translator: with the kernels emulated on the
// CPU and a stand-in for its graphs always, on a GPU where there is one.
#include "stl/inference/graph/graph_inference.h"

#include <ATen/Context.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "stl/bench/record.h"
#include "stl/core/error.h"
#include "stl/models/translators/block.h"
#include "stl/runtime/autocast.h"
#include "tests/gpu/networks.h"
#include "tests/gpu/watched_graph.h"
#include "tests/support/notes.h"
#include "tests/support/random_model.h"
#include "tests/support/tf32.h"

namespace stl {
namespace {

using test::distance;
using test::float_bound;
using test::Notes;
using test::WatchedGraph;
using torch::Tensor;

constexpr auto names_with_norms = {"gsta", "van", "tau", "uniformer", "moganet", "convmixer"};

/// A block that keeps its width between two that change it.
SimVPOptions three_blocks(const std::string& translator) {
    auto options = test::small(translator);
    options.N_T = 3;
    return options;
}

/// How often operators of this name are called.
std::ptrdiff_t count(const std::string& name, const std::function<void()>& work) {
    inference::Trace trace;
    record_operators(trace, work);
    return std::ranges::count(trace.spans(), name, &inference::Span::name);
}

class GpuInference : public test::NetworkTest {
  protected:
    GpuInference()
        : model(test::random_model(three_blocks(translator()))),
          x(torch::rand({2, 4, 1, 32, 32})),
          other(torch::rand({2, 4, 1, 32, 32})),
          plain(model->forward(x)),
          plain_other(model->forward(other)) {}

    void expect_plain(Inference& found) const {
        for (int i = 0; i <= passes_before_graph; ++i)
            EXPECT_LT(distance(found.forward(x.to(device)), plain), float_bound) << "pass " << i;
        EXPECT_LT(distance(found.forward(other.to(device)), plain_other), float_bound);
    }

    const torch::NoGradGuard no_grad;
    SimVP model;
    Tensor x, other, plain, plain_other;
    Notes notes;
};

TEST_P(GpuInference, IsThePlainNetworkKernelByKernelAndByAGraph) {
    const auto found = make_inference(model, device, Path::fast, Precision::fp32, notes, &kernels());
    expect_plain(*found);
    EXPECT_THAT(notes.warnings, testing::IsEmpty());
}

TEST_P(GpuInference, NeedsNoKernelsOfOurOwn) {
    GraphInference found(*model, device, nullptr, Precision::fp32, nullptr, notes);
    expect_plain(found);
}

TEST_P(GpuInference, DoesNotNeedTheModelAnyMore) {
    GraphInference found(*model, device, nullptr, Precision::fp32, nullptr, notes);
    EXPECT_TRUE(torch::equal(model->forward(x), plain)) << "the model has changed";
    for (auto& p : model->parameters()) p.zero_();
    EXPECT_LT(distance(found.forward(x.to(device)), plain), float_bound);
}

TEST_P(GpuInference, FoldsEveryNormButThoseBeforeABorderOfZeros) {
    const auto norms = [&] { return count("aten::batch_norm", [&] { model->forward(x); }); };
    const auto before = norms();
    const bool has_some = std::ranges::count(names_with_norms, translator()) == 1;
    EXPECT_EQ(before > 0, has_some);
    model->hid->fold();
    EXPECT_EQ(norms(), translator() == "convmixer" ? 1 : 0);
    EXPECT_LT(distance(model->forward(x), plain), float_bound);
}

/// As near to float32 as automatic mixed precision is.
void expect_as_near_as_autocast(const Tensor& found, SimVP& model, const Tensor& x, const Tensor& exact,
                                torch::Dtype type) {
    const Autocast autocast(torch::kCPU, type);
    const auto rounded = model->forward(x).to(torch::kFloat32);
    EXPECT_EQ(found.scalar_type(), torch::kFloat32);
    EXPECT_LT(distance(found, exact), 1.5 * distance(rounded, exact));
    EXPECT_GT(distance(found, exact), 1e-5) << "nothing was rounded";
}

TEST_P(GpuInference, InHalfPrecisionIsAsNearAsMixedPrecision) {
    for (auto& p : model->parameters()) {
        if (p.dim() > 1) p.mul_(0.5);  // MogaNet's products of products are to stay in fp16's range
    }
    plain = model->forward(x);
    for (const auto precision : {Precision::bf16, Precision::fp16}) {
        SCOPED_TRACE(name_of(precision));
        const auto found = make_inference(model, device, Path::fast, precision, notes, &kernels());
        expect_as_near_as_autocast(found->forward(x.to(device)), model, x, plain, product_type(precision));
    }
}

TEST_P(GpuInference, NarrowsWeightsOnce) {
    std::ptrdiff_t products = 0;
    for (const auto& module : model->modules())
        products += module->as<Linear>() != nullptr || module->as<Conv2d>() != nullptr ? 1 : 0;
    const auto casts = [](const std::function<void()>& work) { return count("aten::_to_copy", work); };
    const auto each_time = casts([&] {
        const Autocast autocast(torch::kCPU, torch::kBFloat16);
        model->forward(x);
    });
    const auto found = make_inference(model, device, Path::fast, Precision::bf16, notes, &kernels());
    const auto once = casts([&] { found->forward(x.to(device)); });
    EXPECT_LE(once + products, each_time);
}

INSTANTIATE_TEST_SUITE_P(translators, GpuInference, test::every_network(), test::network_name);

// --- Which passes are graphs

class GpuInferenceGraphs : public test::KernelTest {
  protected:
    GpuInferenceGraphs() : model(test::random_model(test::small("gsta"))) {}

    std::unique_ptr<GraphInference> make() {
        const auto graphs = [this]() -> std::unique_ptr<gpu::Graph> {
            return std::make_unique<WatchedGraph>(kernels().make_graph(), calls);
        };
        return std::make_unique<GraphInference>(*model, device, &kernels(), Precision::fp32, graphs, notes);
    }
    void pass(Inference& found, std::int64_t batch, int times) {
        for (int i = 0; i < times; ++i) {
            const auto x = torch::rand({batch, 4, 1, 32, 32});
            EXPECT_LT(distance(found.forward(x.to(device)), model->forward(x)), float_bound)
                << "batch " << batch << ", pass " << i;
        }
    }

    const torch::NoGradGuard no_grad;
    SimVP model;
    WatchedGraph::Calls calls;
    Notes notes;
};

TEST_P(GpuInferenceGraphs, EachSizeThatComesAgainAndAgainHasOne) {
    const auto found = make();
    pass(*found, 2, passes_before_graph);
    EXPECT_EQ(calls.captures, 0);
    pass(*found, 2, 2);
    EXPECT_EQ(calls.warm_ups, gpu::graph_warm_ups);
    EXPECT_EQ(calls.captures, 1);
    EXPECT_EQ(calls.replays, 2);
    pass(*found, 1, passes_before_graph);  // the last batch of a data set
    pass(*found, 2, 1);
    EXPECT_EQ(calls.captures, 1);
    EXPECT_EQ(calls.replays, 3);
    pass(*found, 1, 2);
    EXPECT_EQ(calls.captures, 2);
    EXPECT_EQ(calls.replays, 5);
}

TEST_P(GpuInferenceGraphs, AreOnlySoMany) {
    const auto found = make();
    for (int batch = 1; batch <= most_inference_graphs + 1; ++batch)
        pass(*found, batch, passes_before_graph + 1);
    EXPECT_EQ(calls.captures, most_inference_graphs);
    EXPECT_THAT(notes.warnings, testing::IsEmpty());
}

TEST_P(GpuInferenceGraphs, GoesOnAndSaysSoOnceWhereCaptureFails) {
    calls.fails = true;
    const auto found = make();
    pass(*found, 2, passes_before_graph + 2);
    pass(*found, 1, passes_before_graph + 2);
    EXPECT_EQ(calls.captures, 1);
    EXPECT_EQ(calls.replays, 0);
    EXPECT_THAT(notes.warnings,
                testing::ElementsAre("a pass cannot be captured as a graph, it runs kernel by kernel: "
                                     "operation not permitted when stream is capturing"));
}

/// Whether cuDNN is to compare its algorithms in some operator of `work`.
bool compares_algorithms(const std::function<void()>& work) {
    static thread_local bool some;
    some = false;
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
            some = some || at::globalContext().benchmarkCuDNN();
            return nullptr;
        }));
    work();
    at::removeCallback(handle);
    return some;
}

TEST_P(GpuInferenceGraphs, OfTheFirstSizeHaveAlgorithmsThatWereCompared) {
    // In the first pass: what cuDNN has once chosen it keeps.
    const auto found = make();
    const auto x = torch::rand({2, 4, 1, 32, 32}, device), one = torch::rand({1, 4, 1, 32, 32}, device);
    EXPECT_TRUE(compares_algorithms([&] { found->forward(x); }));
    EXPECT_FALSE(compares_algorithms([&] { found->forward(x); }));
    EXPECT_FALSE(compares_algorithms([&] { found->forward(one); }));
    EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
}

TEST_P(GpuInferenceGraphs, AllowTf32WhereItIsAskedFor) {
    const auto x = torch::rand({2, 4, 1, 32, 32}, device);
    for (const auto path : {Path::plain, Path::fast}) {
        for (const auto precision : {Precision::fp32, Precision::tf32}) {
            const auto found = make_inference(model, device, path, precision, notes, &kernels());
            for (int i = 0; i <= passes_before_graph + 1; ++i)
                EXPECT_EQ(test::allows_tf32([&] { found->forward(x); }), precision == Precision::tf32);
        }
    }
    EXPECT_FALSE(test::tf32_is_on());
    EXPECT_THAT(notes.warnings, testing::IsEmpty());
}

TEST_P(GpuInferenceGraphs, PredictionsStayAndRollOut) {
    const auto found = make();
    const auto x = torch::rand({2, 4, 1, 32, 32}), other = torch::rand({2, 4, 1, 32, 32});
    const auto expected = model->predict(x, 9);
    pass(*found, 2, passes_before_graph);
    const auto first = found->predict(x.to(device), 9);
    ASSERT_EQ(first.sizes(), expected.sizes());
    EXPECT_LT(distance(first, expected), float_bound);
    const auto some = found->predict(x.to(device), 3);
    found->predict(other.to(device), 9);
    EXPECT_LT(distance(first, expected), float_bound) << "overwritten";
    EXPECT_LT(distance(some, expected.narrow(1, 0, 3)), float_bound);
}

TEST_P(GpuInferenceGraphs, RefusesWhatTheModelDoes) {
    const auto found = make();
    pass(*found, 2, passes_before_graph + 1);
    EXPECT_THROW(found->forward(torch::rand({2, 4, 1, 32, 16}, device)), Error);
    EXPECT_THROW(found->forward(torch::rand({1, 4, 1, 1, 1}, device)), Error);
    model->train();
    EXPECT_THROW(make(), Error);
}

INSTANTIATE_TEST_SUITE_P(devices, GpuInferenceGraphs, testing::Values("cpu", "cuda"), test::device_name);

}  // namespace
}  // namespace stl
