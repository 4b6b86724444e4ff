// The bench's works, their timing loop and the account of where the time goes. Nothing here is timed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "stl/bench/peaks.h"
#include "stl/bench/record.h"
#include "stl/bench/work.h"
#include "stl/core/error.h"
#include "stl/cpu/isa.h"
#include "stl/data/loader.h"
#include "tests/support/checks.h"

namespace stl {
namespace {

BenchOptions small_options() {
    BenchOptions options;
    auto& m = options.model;
    m = benchmark_model("moganet");
    m.frames = 2;
    m.height = m.width = 16;
    m.hid_S = 8;
    m.hid_T = 16;
    m.N_S = 2;
    m.N_T = 2;
    options.batch = 2;
    options.threads = 1;
    return options;
}

TEST(Bench, EveryWorkRunsOnEveryPath) {
    for (const auto& work : bench_works()) {
        for (const auto& path : work.paths) {
            SCOPED_TRACE(work.name + " " + name_of(path));
            const auto made = work.make(small_options(), path);
            EXPECT_EQ(made.path, path);
            EXPECT_GT(made.macs + made.bytes, 0);
            made.run();
            made.run();
            if (!made.profile) continue;
            inference::Trace trace;
            made.profile(trace);
            EXPECT_FALSE(trace.spans().empty());
        }
    }
}

TEST(Bench, InferenceCountsTheModelsMultiplyAdds) {
    auto options = small_options();
    const auto one = find_bench_work("infer").make(options, Path::fast).macs;
    options.batch = 4;
    EXPECT_EQ(find_bench_work("infer").make(options, Path::plain).macs, 2 * one);
}

TEST(Bench, CasesTakeTurns) {
    std::string order;
    std::vector<BenchCase> cases(2);
    cases[0].run = [&] { order += 'a'; };
    cases[1].run = [&] { order += 'b'; };
    const auto timings = time_cases(cases, torch::kCPU, 1, 3, [&] { order += '.'; });
    EXPECT_EQ(order, ".a.b.a.b.a.b.a.b");
    ASSERT_EQ(timings.size(), 2U);
    EXPECT_LE(timings[0].best, timings[0].median);
    EXPECT_GT(timings[0].peak_memory, 0);
}

TEST(Bench, MemoryOfACaptureCounts) {
    std::vector<BenchCase> cases(1);
    cases[0].run = [] {};
    cases[0].capture_peak_memory = std::int64_t{1} << 60;
    EXPECT_EQ(time_cases(cases, torch::kCPU, 0, 1, {})[0].peak_memory, std::int64_t{1} << 60);
}

TEST(Bench, DataAreTimedBeyondWhatWasMadeAhead) {
    const auto made = find_bench_work("data").make(small_options(), Path::fast);
    EXPECT_GE(made.batches, 4 * LoaderOptions{}.read_ahead);
}

TEST(Bench, TimesAreOfABatch) {
    std::vector<BenchCase> cases(1);
    cases[0].batches = 1'000'000;
    cases[0].run = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
    EXPECT_LT(time_cases(cases, torch::kCPU, 0, 1, {})[0].best, 0.02);
}

TEST(Bench, UnknownWork) {
    EXPECT_THROW(find_bench_work("inver"), Error);
}

TEST(Bench, Bf16WhereTheProcessorMultipliesIt) {
    auto options = small_options();
    options.precision = Precision::bf16;
    for (const auto* work : {"infer", "train"}) {
        const auto& timed = find_bench_work(work);
        for (const auto path : {Path::plain, Path::fast}) {
            SCOPED_TRACE(std::string(work) + " " + name_of(path));
            if (!libtorch_multiplies_bfloat16()) {
                EXPECT_THAT(test::error_of([&] { timed.make(options, path); }),
                            testing::HasSubstr("no bfloat16 arithmetic; stl computes in fp32 instead"));
            } else if (path == Path::fast && !has_fast_path(options, timed)) {
                EXPECT_THAT(test::error_of([&] { timed.make(options, path); }),
                            testing::HasSubstr("no fast path in bf16"));
            } else {
                timed.make(options, path).run();
            }
        }
    }
    EXPECT_EQ(has_fast_path(options, find_bench_work("infer")), cpu::multiplies_bfloat16(cpu::best_isa()));
    EXPECT_TRUE(has_fast_path(options, find_bench_work("train")));
}

TEST(Bench, Fp16IsForInferenceOnAGpu) {
    auto options = small_options();
    options.precision = Precision::fp16;
    for (const auto path : {Path::plain, Path::fast}) {
        EXPECT_THAT(test::error_of([&] { find_bench_work("infer").make(options, path); }),
                    testing::HasSubstr("precision fp16 needs a GPU"));
        EXPECT_THAT(test::error_of([&] { find_bench_work("train").make(options, path); }),
                    testing::HasSubstr("fp16 is only for inference"));
    }
}

TEST(Bench, Tf32IsForGpus) {
    auto options = small_options();
    options.precision = Precision::tf32;
    for (const auto* work : {"infer", "train"}) {
        EXPECT_THAT(test::error_of([&] { find_bench_work(work).make(options, Path::fast); }),
                    testing::HasSubstr("TF32 is a format of GPUs; stl computes in fp32 instead"));
    }
}

TEST(Record, SpansCountWithoutThoseInThem) {
    inference::Trace trace;
    {
        const inference::Trace::Timed block(&trace, "block");
        { const inference::Trace::Timed a(&trace, "a", 5); }
        { const inference::Trace::Timed a(&trace, "a", 7); }
        { const inference::Trace::Timed b(&trace, "b"); }
    }
    { const inference::Trace::Timed nothing(nullptr, "nothing"); }
    ASSERT_EQ(trace.spans().size(), 4U);
    EXPECT_EQ(trace.spans()[0].level, 0);
    EXPECT_EQ(trace.spans()[3].level, 1);
    const auto layers = layer_times(trace);
    ASSERT_EQ(layers.size(), 3U);
    double total = 0;
    for (const auto& layer : layers) {
        EXPECT_EQ(layer.calls, layer.name == "a" ? 2 : 1);
        EXPECT_EQ(layer.macs, layer.name == "a" ? 12 : 0);
        total += layer.seconds;
    }
    EXPECT_NEAR(total, trace.spans()[0].seconds, 1e-9);
    const auto json = chrome_trace({{"fast", trace}});
    ASSERT_EQ(json["traceEvents"].size(), 5U);
    EXPECT_EQ(json["traceEvents"][2]["name"], "a");
    EXPECT_EQ(json["traceEvents"][2]["ph"], "X");
    EXPECT_GE(json["traceEvents"][1]["dur"], json["traceEvents"][2]["dur"]);
}

TEST(Record, OperatorsOfLibTorch) {
    inference::Trace trace;
    const auto x = torch::rand({4, 4});
    record_operators(trace, [&] { torch::mm(x, x); });
    const auto count = trace.spans().size();
    ASSERT_GT(count, 0U);
    EXPECT_EQ(trace.spans()[0].name, "aten::mm");
    torch::mm(x, x);
    EXPECT_EQ(trace.spans().size(), count) << "it goes on recording";
}

TEST(Peaks, AreMeasured) {
    const auto peaks = measure_peaks(torch::kCPU, Precision::fp32);
    EXPECT_GT(peaks.flops, 0);
    EXPECT_GT(peaks.bytes, 0);
}

}  // namespace
}  // namespace stl
