#include "stl/predict/predict.h"

#include <torch/nn/functional/upsampling.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <istream>
#include <ostream>

#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/formats/sequence_formats.h"
#include "stl/predict/pictures.h"

namespace stl {
namespace {

/// Values that no network trained on the range predicts by its usual overshooting.
std::int64_t count_far_out(const torch::Tensor& predictions, const ValueRange& range) {
    constexpr double beyond = 0.5;
    return ((to_unit(predictions, range) - 0.5).abs() > 0.5 + beyond).sum().item<std::int64_t>();
}

/// A batch for each rank, as far as there are, predicted by it: the predictions of all in the source's order, on every
/// rank.
std::vector<torch::Tensor> predict_round(PredictionSource& source, const PredictFunction& predict,
                                         std::int64_t batch, const Group& group) {
    torch::Tensor own;
    std::vector<std::int64_t> sizes;
    for (int rank = 0; rank < group.size(); ++rank) {
        const auto windows = source.next(batch);
        if (!windows.defined()) break;
        sizes.push_back(windows.size(0));
        if (rank == group.rank()) own = predict(windows).cpu().contiguous();
    }
    const auto* bytes = own.defined() ? static_cast<const char*>(own.const_data_ptr()) : nullptr;
    const auto all = group.gather(own.defined() ? std::string(bytes, own.nbytes()) : std::string());
    const auto shapes = group.gather(
        own.defined() ? std::vector<double>(own.sizes().begin(), own.sizes().end()) : std::vector<double>());
    std::vector<torch::Tensor> predictions;
    for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
        const std::vector<std::int64_t> shape(shapes[rank].begin(), shapes[rank].end());
        auto y = torch::empty(shape, torch::kFloat32);
        std::ranges::copy(all[rank], static_cast<char*>(y.mutable_data_ptr()));
        predictions.push_back(y);
    }
    return predictions;
}

}  // namespace

std::int64_t predict_all(PredictionSource& source, PredictionSink& sink, const PredictFunction& predict,
                         std::int64_t batch, Reporter& reporter, const StopRequested& stop, Group* group) {
    std::int64_t done = 0, broken = 0, far_out = 0, values = 0;
    const auto write = [&](const torch::Tensor& y) {
        done += y.size(0);
        broken += torch::isfinite(y).logical_not().flatten(1).any(1).sum().item<std::int64_t>();
        if (const auto range = sink.shown_range()) {
            far_out += count_far_out(y, *range);
            values += y.numel();
        }
        sink.append(y);
    };
    for (bool more = true; more;) {
        if (group != nullptr) {
            group->note(counted(done, "prediction") + " so far");
            const auto round = predict_round(source, predict, batch, *group);
            more = round.size() == static_cast<std::size_t>(group->size());
            for (const auto& y : round) write(y);
        } else if (const auto windows = source.next(batch); windows.defined()) {
            write(predict(windows));
        } else {
            more = false;
        }
        const auto expected = source.expected();
        reporter.progress({done, expected > 0 ? std::max(expected, done) : 0, "predicting", ""});
        const bool stopped = more && stop && stop();
        if (group != nullptr ? group->any(stopped) : stopped)
            throw Interrupted(
                fmt::format("stopped after {}; nothing was written", counted(done, "prediction")));
    }
    sink.finish();
    reporter.progress_end();
    if (far_out > values / 100) {
        reporter.warn(fmt::format(
            "{:.0f} % of the predicted values lie far outside {} and are shown as black or white; "
            "to keep values of another range, write a {} file",
            100.0 * static_cast<double>(far_out) / static_cast<double>(values),
            to_string(*sink.shown_range()), listed(sequence_extensions(&SequenceFormat::writes), "or")));
    }
    if (broken > 0) {
        reporter.warn(
            fmt::format("{} of {} predictions contain NaN or infinite values, probably because the weights "
                        "or the input do",
                        broken, done));
    }
    return done;
}

PredictFunction scaled(PredictFunction predict, const FrameSize& size) {
    return [predict = std::move(predict), size](const torch::Tensor& x) {
        const auto y = predict(x);
        const auto options = torch::nn::functional::InterpolateFuncOptions()
                                 .size(std::vector<std::int64_t>{size.height, size.width})
                                 .mode(torch::kBicubic)
                                 .align_corners(false)
                                 .antialias(true);
        const auto frames = torch::nn::functional::interpolate(y.flatten(0, 1), options);
        return frames.view({y.size(0), y.size(1), y.size(2), size.height, size.width});
    };
}

PredictFunction with_input(PredictFunction predict) {
    return [predict = std::move(predict)](const torch::Tensor& x) {
        const auto y = predict(x);
        return torch::cat({x.to(y.device(), y.dtype()), y}, 1);
    };
}

RawFormat parse_raw_format(const std::string& text) {
    const auto bad = [&]() -> RawFormat {
        throw UsageError(fmt::format("--raw {}: expected WIDTHxHEIGHT:gray or WIDTHxHEIGHT:rgb", text));
    };
    const auto x = text.find('x');
    const auto colon = text.find(':');
    if (x == std::string::npos || colon == std::string::npos || x > colon) return bad();
    RawFormat format;
    const auto number = [&](std::size_t from, std::size_t to, std::int64_t& value) {
        const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, value);
        return error == std::errc{} && end == text.data() + to && value > 0 && value <= 1 << 15;
    };
    if (!number(0, x, format.width) || !number(x + 1, colon, format.height)) return bad();
    const auto kind = text.substr(colon + 1);
    if (kind != "gray" && kind != "rgb") return bad();
    format.channels = kind == "gray" ? 1 : 3;
    return format;
}

std::int64_t predict_stream(std::istream& in, std::ostream& out, const RawFormat& format,
                            std::int64_t input_frames, const PredictFunction& predict,
                            const ValueRange& range, const StopRequested& stop) {
    Image raw(static_cast<int>(format.height), static_cast<int>(format.width),
              static_cast<int>(format.channels));
    const auto size = static_cast<std::streamsize>(raw.pixels.size());
    std::deque<torch::Tensor> window;
    std::int64_t read = 0;
    std::int64_t written = 0;
    for (;;) {
        if (stop && stop()) throw Interrupted(fmt::format("stopped after {} frames", written));
        in.read(reinterpret_cast<char*>(raw.pixels.data()), size);
        if (in.gcount() < size && stop && stop()) continue;  // a signal ended the waiting
        if (in.gcount() == 0) break;
        if (in.gcount() < size) {
            fail("standard input: ends inside frame {} ({} of {} bytes)", read + 1, in.gcount(), size);
        }
        ++read;
        window.push_back(to_tensor(raw, range));
        if (static_cast<std::int64_t>(window.size()) > input_frames) window.pop_front();
        if (static_cast<std::int64_t>(window.size()) < input_frames) continue;
        const auto input =
            torch::stack(std::vector<torch::Tensor>(window.begin(), window.end())).unsqueeze(0);
        const auto next = to_image(predict(input)[0][0], range);
        errno = 0;
        out.write(reinterpret_cast<const char*>(next.pixels.data()),
                  static_cast<std::streamsize>(next.pixels.size()));
        out.flush();
        if (!out && errno == EPIPE) return written;
        if (!out && errno == EINTR && stop && stop()) continue;
        if (!out)
            fail("standard output: cannot be written after {} frames ({})", written, std::strerror(errno));
        ++written;
    }
    if (read < input_frames)
        fail("standard input: {} frames, the model expects at least {}", read, input_frames);
    return written;
}

}  // namespace stl
