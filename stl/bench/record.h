// Where the time goes, from spans: LibTorch's operators for the plain path, the plan's layers for the fast
// one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "stl/core/json.h"
#include "stl/inference/trace.h"

namespace stl {

/// Runs `work` and records LibTorch's operators called on this thread, those inside others a level deeper.
void record_operators(inference::Trace& trace, const std::function<void()>& work);

/// What each span takes beyond the spans in it, summed up by name, the longest first.
struct LayerTime {
    std::string name;
    std::int64_t calls = 0;
    double seconds = 0;
    std::int64_t macs = 0;
};
std::vector<LayerTime> layer_times(const inference::Trace& trace);

/// Trace events of one path each, for chrome://tracing and Perfetto.
struct NamedTrace {
    std::string name;
    inference::Trace trace;
};
Json chrome_trace(const std::vector<NamedTrace>& traces);

}  // namespace stl
