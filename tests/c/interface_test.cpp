#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstring>
#include <sstream>
#include <thread>

#include "stl/c/stl.h"
#include "stl/predict/pictures.h"
#include "stl/predict/predict.h"
#include "stl/predict/predictor.h"
#include "tests/support/small_run.h"

extern char** environ;

namespace stl {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::write_small_checkpoint;
using testing::write_small_run;

struct Free {
    void operator()(stl_model* model) const { stl_free(model); }
};
using Model = std::unique_ptr<stl_model, Free>;

stl_options on_cpu() {
    stl_options options{};
    options.size = sizeof options;
    options.device = "cpu";
    options.threads = 1;
    return options;
}

Model opened(const fs::path& source, const stl_options& options = on_cpu()) {
    stl_model* model = nullptr;
    EXPECT_EQ(stl_open(source.c_str(), &options, &model), STL_OK) << stl_last_error();
    return Model(model);
}

stl_info info_of(const Model& model) {
    stl_info info{};
    info.size = sizeof info;
    EXPECT_EQ(stl_get_info(model.get(), &info), STL_OK) << stl_last_error();
    return info;
}

/// What the library itself predicts.
torch::Tensor expected(const fs::path& source, const torch::Tensor& x, std::int64_t frames = 0) {
    return Predictor({.source = source.string(), .device = "cpu", .threads = 1}).predict(x, frames);
}

torch::Tensor predicted(const Model& model, const torch::Tensor& x, std::int64_t frames, std::int64_t given) {
    auto y = torch::full({x.size(0), given, x.size(2), x.size(3), x.size(4)}, -1.0F);
    EXPECT_EQ(stl_predict(model.get(), x.const_data_ptr<float>(), static_cast<std::size_t>(x.numel()), frames,
                          y.mutable_data_ptr<float>(), static_cast<std::size_t>(y.numel())),
              STL_OK)
        << stl_last_error();
    return y;
}

TEST(CInterface, PredictsWhatTheLibraryPredicts) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    const auto model = opened(folder / "a.pth");
    for (const std::int64_t batch : {1, 3}) {
        const auto x = torch::rand({batch, 3, 1, 16, 16});
        EXPECT_TRUE(torch::equal(predicted(model, x, 0, 2), expected(folder / "a.pth", x)));
        EXPECT_TRUE(torch::equal(predicted(model, x, 5, 5), expected(folder / "a.pth", x, 5)));
    }
}

TEST(CInterface, OfARunItTakesTheWeightsAskedFor) {
    const TemporaryFolder folder;
    const auto run = write_small_run(folder / "run");
    const auto x = torch::rand({1, 3, 1, 16, 16});
    auto options = on_cpu();
    EXPECT_TRUE(torch::equal(predicted(opened(folder / "run", options), x, 0, 2),
                             expected(run.checkpoint("last"), x)));
    options.weights = "best";
    EXPECT_TRUE(torch::equal(predicted(opened(folder / "run", options), x, 0, 2),
                             expected(run.checkpoint("best"), x)));
}

/// Of RGB frames that are not square, whose values are not those of bytes.
TEST(CInterface, BytesAreThoseOfAStream) {
    const TemporaryFolder folder;
    auto options = testing::small_model();
    options.channels = 3;
    options.width = 24;
    torch::manual_seed(2);
    SimVP network(options);
    Checkpoint checkpoint;
    checkpoint.state = state_of(*network);
    checkpoint.stl = {{"model", options.to_json()}, {"range", {-1.0, 1.0}}};
    write_checkpoint(folder / "a.pth", checkpoint);

    constexpr std::size_t frame = std::size_t{16} * 24 * 3;
    std::string bytes(3 * frame, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i % 251);
    Predictor predictor({.source = (folder / "a.pth").string(), .device = "cpu", .threads = 1});
    std::istringstream in(bytes);
    std::ostringstream out;
    predict_stream(
        in, out, {24, 16, 3}, 3, [&](const torch::Tensor& x) { return predictor.predict(x, 1); },
        *predictor.trained_range());

    const auto model = opened(folder / "a.pth");
    EXPECT_EQ(info_of(model).black, -1);
    EXPECT_EQ(info_of(model).white, 1);
    std::string next(frame, '\0');
    ASSERT_EQ(stl_predict_bytes(model.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                bytes.size(), 1, reinterpret_cast<std::uint8_t*>(next.data()), next.size()),
              STL_OK)
        << stl_last_error();
    EXPECT_EQ(next, out.str());
    EXPECT_GT(std::ranges::count_if(next, [](char c) { return c != '\0' && c != '\xff'; }), 0);
}

TEST(CInterface, TellsWhatTheNetworkIs) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    const auto info = info_of(opened(folder / "a.pth"));
    EXPECT_EQ(info.input_frames, 3);
    EXPECT_EQ(info.output_frames, 2);
    EXPECT_EQ(info.channels, 1);
    EXPECT_EQ(info.height, 16);
    EXPECT_EQ(info.width, 16);
    EXPECT_EQ(info.parameters,
              Predictor({.source = (folder / "a.pth").string(), .device = "cpu"}).parameters());
    EXPECT_EQ(info.frame_rate, 0);
    EXPECT_EQ(info.black, 0);
    EXPECT_EQ(info.white, 1);
    EXPECT_THAT(stl_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(CInterface, FramesOfAnotherSizeAreTaken) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto options = on_cpu();
    options.height = 24;
    options.width = 32;
    const auto info = info_of(opened(folder / "a.pth", options));
    EXPECT_EQ(info.height, 24);
    EXPECT_EQ(info.width, 32);
}

/// A program that was built when the structures ended earlier.
TEST(CInterface, OnlyMembersThatTheCallerKnowsAreReadAndWritten) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    auto options = on_cpu();
    options.precision = "none";
    options.size = offsetof(stl_options, precision);
    const auto model = opened(folder / "a.pth", options);
    stl_info info;
    std::memset(&info, 77, sizeof info);
    info.size = offsetof(stl_info, channels);
    const auto untouched = info.channels;
    ASSERT_EQ(stl_get_info(model.get(), &info), STL_OK);
    EXPECT_EQ(info.output_frames, 2);
    EXPECT_EQ(info.channels, untouched);
    EXPECT_EQ(info.size, offsetof(stl_info, channels));
}

TEST(CInterface, EveryErrorIsAStatusAndALine) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    write_text(folder / "text.pth", "no checkpoint");
    auto* model = reinterpret_cast<stl_model*>(16);
    const auto refused = [&](const fs::path& source, const stl_options& options, stl_status status,
                             const char* line) {
        model = reinterpret_cast<stl_model*>(16);
        EXPECT_EQ(stl_open(source.c_str(), &options, &model), status);
        EXPECT_EQ(model, nullptr);
        EXPECT_THAT(stl_last_error(), HasSubstr(line));
    };
    refused(folder / "none", on_cpu(), STL_FAILED, "none: no such run or checkpoint");
    refused(folder / "text.pth", on_cpu(), STL_FAILED, "text.pth");
    auto options = on_cpu();
    options.precision = "fp7";
    refused(folder / "a.pth", options, STL_FAILED, "fp7");
    options = on_cpu();
    options.height = 24;
    refused(folder / "a.pth", options, STL_INVALID_ARGUMENT,
            "frames of 24 x 0, expected a height and a width");
    options = on_cpu();
    options.size = 0;
    refused(folder / "a.pth", options, STL_INVALID_ARGUMENT, "options: size is 0");
    options = on_cpu();
    options.threads = -1;
    refused(folder / "a.pth", options, STL_FAILED, "threads: -1 is negative");
    EXPECT_EQ(stl_open(nullptr, nullptr, &model), STL_INVALID_ARGUMENT);
    EXPECT_STREQ(stl_last_error(), "source is NULL");
    EXPECT_EQ(stl_open("a", nullptr, nullptr), STL_INVALID_ARGUMENT);
    EXPECT_STREQ(stl_last_error(), "model is NULL");

    const auto good = opened(folder / "a.pth");
    EXPECT_STREQ(stl_last_error(), "model is NULL") << "a call that succeeds keeps it";
    std::vector<float> in(3 * 256), out(2 * 256);
    const auto predict = [&](std::size_t read, std::int64_t frames, std::size_t written) {
        return stl_predict(good.get(), in.data(), read, frames, out.data(), written);
    };
    EXPECT_EQ(predict(767, 0, 512), STL_INVALID_ARGUMENT);
    EXPECT_STREQ(stl_last_error(),
                 "input: 767 values, expected N x 768 (3 frames of 1 x 16 x 16: channels, height, width)");
    EXPECT_EQ(predict(0, 0, 0), STL_INVALID_ARGUMENT);
    EXPECT_EQ(predict(768, 0, 513), STL_INVALID_ARGUMENT);
    EXPECT_STREQ(stl_last_error(),
                 "output: room for 513 values, expected 1 x 2 x 256 (inputs, frames, values of a frame)");
    EXPECT_EQ(predict(768, 1, 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(predict(768, 3, 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(predict(768, std::int64_t{1} << 62, 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(predict(768, -1, 512), STL_INVALID_ARGUMENT);
    EXPECT_STREQ(stl_last_error(), "frames: -1, expected 0 or a number over it");
    EXPECT_EQ(stl_predict(nullptr, in.data(), 768, 0, out.data(), 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(stl_predict(good.get(), nullptr, 768, 0, out.data(), 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(stl_predict(good.get(), in.data(), 768, 0, nullptr, 512), STL_INVALID_ARGUMENT);
    EXPECT_EQ(stl_get_info(good.get(), nullptr), STL_INVALID_ARGUMENT);
    stl_info info{};
    EXPECT_EQ(stl_get_info(good.get(), &info), STL_INVALID_ARGUMENT);
    EXPECT_THAT(stl_last_error(), HasSubstr("info: size is 0"));
    EXPECT_EQ(predict(768, 0, 512), STL_OK);
    stl_free(nullptr);
}

TEST(CInterface, ALastErrorIsThatOfItsThread) {
    EXPECT_NE(stl_open(nullptr, nullptr, nullptr), STL_OK);
    std::thread([] { EXPECT_STREQ(stl_last_error(), ""); }).join();
    EXPECT_STREQ(stl_last_error(), "model is NULL");
}

TEST(CInterface, LinesGoToTheCallerOnly) {
    const TemporaryFolder folder;
    const auto run = write_small_run(folder / "run");
    auto experiment = testing::small_experiment();
    experiment["train"]["seed"] = 6;
    write_json(run.experiment_file(), experiment);  // changed since: a warning
    std::vector<std::string> lines;
    auto options = on_cpu();
    options.message = [](void* context, const char* line) {
        static_cast<std::vector<std::string>*>(context)->emplace_back(line);
    };
    options.context = &lines;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    opened(folder / "run", options);
    options.message = nullptr;
    const auto silent = opened(folder / "run", options);
    predicted(silent, torch::rand({2, 3, 1, 16, 16}), 0, 2);
    stl_open("none", nullptr, nullptr);
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_THAT(lines,
                ::testing::ElementsAre(HasSubstr("train.seed is 6, but the network was trained with 5")));
}

TEST(CInterface, ThreadsEachWithTheirOwnModelDoNotDisturbEachOther) {
    const TemporaryFolder folder;
    const auto x = torch::rand({2, 3, 1, 16, 16});
    std::vector<fs::path> files;
    std::vector<torch::Tensor> alone;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        files.push_back(folder / fmt::format("{}.pth", seed));
        write_small_checkpoint(files.back(), seed);
        alone.push_back(expected(files.back(), x, 4));
    }
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < files.size(); ++i) {
        threads.emplace_back([&, i] {
            const auto model = opened(files[i]);
            for (int pass = 0; pass < 10; ++pass)
                EXPECT_TRUE(torch::equal(predicted(model, x, 4, 4), alone[i]));
        });
    }
}

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    return variables;
}

std::vector<const void*> signal_handlers() {
    std::vector<const void*> handlers;
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        struct sigaction action {};
        sigaction(signal, nullptr, &action);
        handlers.push_back(reinterpret_cast<const void*>(action.sa_handler));
    }
    return handlers;
}

int threads_of_a_new_thread() {
    int threads = 0;
    std::thread([&] { threads = at::get_num_threads(); }).join();
    return threads;
}

TEST(CInterface, LeavesTheProcessAsItWas) {
    const TemporaryFolder folder;
    write_small_checkpoint(folder / "a.pth", 4);
    const int at_first = at::get_num_threads();
    at::set_num_threads(3);
    const auto variables = environment();
    const auto handlers = signal_handlers();
    const std::string locale = std::setlocale(LC_ALL, nullptr);
    const int rounding = std::fegetround();
    const auto here = fs::current_path();
    const auto x = torch::rand({2, 3, 1, 16, 16});
    const auto random = at::detail::getDefaultCPUGenerator().get_state();
    {
        auto options = on_cpu();
        options.threads = 2;
        const auto model = opened(folder / "a.pth", options);
        EXPECT_EQ(at::get_num_threads(), 3);
        predicted(model, x, 0, 2);
    }
    EXPECT_EQ(at::get_num_threads(), 3);
    EXPECT_EQ(threads_of_a_new_thread(), 3);
    EXPECT_EQ(environment(), variables);
    EXPECT_EQ(signal_handlers(), handlers);
    EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
    EXPECT_EQ(std::fegetround(), rounding);
    EXPECT_EQ(fs::current_path(), here);
    EXPECT_TRUE(torch::equal(at::detail::getDefaultCPUGenerator().get_state(), random));
    EXPECT_TRUE(torch::GradMode::is_enabled());
    at::set_num_threads(at_first);
}

}  // namespace
}  // namespace stl
