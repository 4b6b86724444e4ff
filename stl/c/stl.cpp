#include "stl/c/stl.h"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include "stl/core/error.h"
#include "stl/core/version.h"
#include "stl/predict/pictures.h"
#include "stl/predict/predictor.h"
#include "stl/runtime/device.h"
#include "stl/runtime/error_line.h"

namespace {

/// The call itself is wrong.
class InvalidArgument : public stl::Error {
  public:
    using Error::Error;
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
    throw InvalidArgument(fmt::format(format, std::forward<Args>(args)...));
}

void require(const void* pointer, const char* name) {
    if (pointer == nullptr) refuse("{} is NULL", name);
}

/// Passes lines on.
class MessageReporter : public stl::Reporter {
  public:
    explicit MessageReporter(const stl_options& options)
        : message_(options.message), context_(options.context) {}
    void info(const std::string& line) override { tell(line); }
    void warn(const std::string& line) override { tell(line); }

  private:
    void tell(const std::string& line) {
        if (message_ != nullptr) message_(context_, line.c_str());
    }

    void (*message_)(void*, const char*);
    void* context_;
};

std::string text_or(const char* text, const char* otherwise) {
    return text != nullptr ? text : otherwise;
}

/// The caller's members, and zeros for those that its version of the structure does not have.
template <class Struct>
Struct known_members(const Struct& given) {
    Struct known{};
    std::memcpy(&known, &given, std::min(given.size, sizeof known));
    return known;
}

stl::PredictorOptions predictor_options(const char* source, const stl_options& given) {
    stl::PredictorOptions o;
    o.source = source;
    o.device = text_or(given.device, "auto");
    o.weights = text_or(given.weights, "last");
    o.precision = stl::member_named<stl::Precision>(text_or(given.precision, "fp32"), "precision:");
    o.model_json = text_or(given.model, "");
    o.threads = given.threads;
    if (given.height < 0 || given.width < 0 || (given.height == 0) != (given.width == 0))
        refuse("frames of {} x {}, expected a height and a width", given.height, given.width);
    if (given.height > 0) {
        o.size = {given.height, given.width};
        o.frame = {0, 0, given.height, given.width};
    }
    return o;
}

}  // namespace

struct stl_model {
    stl_model(const char* source, const stl_options& options)
        : reporter(options), predictor(predictor_options(source, options), reporter) {}

    stl::ValueRange range() const { return predictor.trained_range().value_or(stl::ValueRange{}); }

    MessageReporter reporter;
    stl::Predictor predictor;
};

namespace {

thread_local std::string last_error;

stl_status failed(stl_status status, const std::exception& error) noexcept {
    try {
        last_error = stl::error_line(error);
    } catch (...) {
        last_error.clear();  // no memory even for that
    }
    return status;
}

/// Exceptions become a status and this thread's last error.
template <std::invocable Call>
stl_status guarded(const Call& call) noexcept {
    try {
        call();
        return STL_OK;
    } catch (const InvalidArgument& error) {
        return failed(STL_INVALID_ARGUMENT, error);
    } catch (const std::exception& error) {
        return failed(stl::is_out_of_memory(error) ? STL_OUT_OF_MEMORY : STL_FAILED, error);
    } catch (...) {
        return failed(STL_FAILED, stl::Error("unknown error"));
    }
}

/// Of one call: N inputs of T frames, and the frames to predict from each.
struct Sizes {
    std::int64_t inputs, frames;
};

/// Of a call that predicts, after its arguments have been checked.
Sizes checked_sizes(const stl_model* model, const void* input, std::size_t input_values, std::int64_t frames,
                    const void* output, std::size_t output_values) {
    require(model, "model");
    require(input, "input");
    require(output, "output");
    const auto& m = model->predictor.model();
    const auto frame = static_cast<std::size_t>(m.channels * m.height * m.width);
    const auto one = frame * static_cast<std::size_t>(m.frames);
    if (input_values == 0 || input_values % one != 0) {
        refuse("input: {} values, expected N x {} ({} frames of {} x {} x {}: channels, height, width)",
               input_values, one, m.frames, m.channels, m.height, m.width);
    }
    if (frames < 0) refuse("frames: {}, expected 0 or a number over it", frames);
    const auto inputs = input_values / one;
    const auto wanted = static_cast<std::size_t>(frames > 0 ? frames : model->predictor.output_frames());
    // In this order no product can be too large.
    if (output_values % frame != 0 || output_values / frame % inputs != 0 ||
        output_values / frame / inputs != wanted) {
        refuse("output: room for {} values, expected {} x {} x {} (inputs, frames, values of a frame)",
               output_values, inputs, wanted, frame);
    }
    return {static_cast<std::int64_t>(inputs), static_cast<std::int64_t>(wanted)};
}

}  // namespace

const char* stl_version(void) {
    static const std::string version = stl::version();
    return version.c_str();
}

const char* stl_last_error(void) {
    return last_error.c_str();
}

stl_status stl_open(const char* source, const stl_options* options, stl_model** model) {
    if (model != nullptr) *model = nullptr;
    return guarded([&] {
        require(model, "model");
        require(source, "source");
        if (options != nullptr && options->size == 0)
            refuse("options: size is 0, expected sizeof(stl_options)");
        const auto known = options != nullptr ? known_members(*options) : stl_options{};
        *model = std::make_unique<stl_model>(source, known).release();
    });
}

void stl_free(stl_model* model) {
    const std::unique_ptr<stl_model> freed(model);
}

stl_status stl_get_info(const stl_model* model, stl_info* info) {
    return guarded([&] {
        require(model, "model");
        require(info, "info");
        if (info->size == 0) refuse("info: size is 0, expected sizeof(stl_info)");
        const auto& predictor = model->predictor;
        const auto& m = predictor.model();
        const auto range = model->range();
        const stl_info known{.size = info->size,
                             .input_frames = m.frames,
                             .output_frames = predictor.output_frames(),
                             .channels = m.channels,
                             .height = m.height,
                             .width = m.width,
                             .parameters = predictor.parameters(),
                             .frame_rate = predictor.trained_fps(),
                             .black = range.low,
                             .white = range.high};
        std::memcpy(info, &known, std::min(info->size, sizeof known));
    });
}

stl_status stl_predict(stl_model* model, const float* input, size_t input_values, int64_t frames,
                       float* output, size_t output_values) {
    return guarded([&] {
        const auto [n, wanted] = checked_sizes(model, input, input_values, frames, output, output_values);
        auto& predictor = model->predictor;
        const auto& m = predictor.model();
        const auto x =
            torch::from_blob(const_cast<float*>(input), {n, m.frames, m.channels, m.height, m.width});
        torch::from_blob(output, {n, wanted, m.channels, m.height, m.width})
            .copy_(predictor.predict(x, wanted));
    });
}

stl_status stl_predict_bytes(stl_model* model, const uint8_t* input, size_t input_values, int64_t frames,
                             uint8_t* output, size_t output_values) {
    return guarded([&] {
        const auto [n, wanted] = checked_sizes(model, input, input_values, frames, output, output_values);
        auto& predictor = model->predictor;
        const auto& m = predictor.model();
        const auto range = model->range();
        const auto x =
            stl::to_values(torch::from_blob(const_cast<std::uint8_t*>(input),
                                            {n, m.frames, m.height, m.width, m.channels}, torch::kUInt8),
                           range);
        torch::from_blob(output, {n, wanted, m.height, m.width, m.channels}, torch::kUInt8)
            .copy_(stl::to_bytes(predictor.predict(x, wanted), range));
    });
}
