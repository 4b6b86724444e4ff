#include "stl/bench/record.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <map>
#include <memory>

namespace stl {
namespace {

/// The trace that this thread's operators go to, while record_operators runs.
thread_local inference::Trace* recording = nullptr;

struct OperatorSpan : at::ObserverContext {
    OperatorSpan(inference::Trace* trace, const char* name) : timed(trace, name) {}
    inference::Trace::Timed timed;
};

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
    return std::make_unique<OperatorSpan>(recording, function.name());
}

void end(const at::RecordFunction& /*function*/, at::ObserverContext* /*context*/) {}

}  // namespace

void record_operators(inference::Trace& trace, const std::function<void()>& work) {
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(begin, end).scopes({at::RecordScope::FUNCTION}));
    recording = &trace;
    const auto stop = [&] {
        recording = nullptr;
        at::removeCallback(handle);
    };
    try {
        work();
    } catch (...) {
        stop();
        throw;
    }
    stop();
}

std::vector<LayerTime> layer_times(const inference::Trace& trace) {
    const auto& spans = trace.spans();
    // A span's own time and work: without those of the spans in it.
    auto own = spans;
    std::vector<std::size_t> open;  // by level
    for (std::size_t i = 0; i < spans.size(); ++i) {
        open.resize(static_cast<std::size_t>(spans[i].level));
        if (!open.empty()) {
            auto& outer = own[open.back()];
            outer.seconds -= spans[i].seconds;
            outer.macs = std::max<std::int64_t>(0, outer.macs - spans[i].macs);
        }
        open.push_back(i);
    }
    std::map<std::string, LayerTime> by_name;
    for (const auto& span : own) {
        auto& layer = by_name[span.name];
        layer.name = span.name;
        ++layer.calls;
        layer.seconds += span.seconds;
        layer.macs += span.macs;
    }
    std::vector<LayerTime> layers;
    for (auto& [name, layer] : by_name) layers.push_back(std::move(layer));
    std::ranges::sort(layers, std::greater{}, &LayerTime::seconds);
    return layers;
}

Json chrome_trace(const std::vector<NamedTrace>& traces) {
    constexpr double microseconds = 1e6;
    auto events = Json::array();
    for (std::size_t i = 0; i < traces.size(); ++i) {
        events.push_back(
            {{"name", "process_name"}, {"ph", "M"}, {"pid", i}, {"args", {{"name", traces[i].name}}}});
        for (const auto& span : traces[i].trace.spans()) {
            Json event{{"name", span.name},
                       {"ph", "X"},
                       {"pid", i},
                       {"tid", 0},
                       {"ts", span.start * microseconds},
                       {"dur", span.seconds * microseconds}};
            if (span.macs > 0) event["args"] = {{"macs", span.macs}};
            events.push_back(std::move(event));
        }
    }
    return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

}  // namespace stl
