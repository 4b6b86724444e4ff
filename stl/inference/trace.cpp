#include "stl/inference/trace.h"

namespace stl::inference {

Trace::Timed::Timed(Trace* trace, std::string_view name, std::int64_t macs) : trace_(trace) {
    if (!trace_) return;
    index_ = trace_->spans_.size();
    trace_->spans_.push_back({std::string(name), trace_->now(), 0, macs, trace_->level_++});
}

Trace::Timed::~Timed() {
    if (!trace_) return;
    auto& span = trace_->spans_[index_];
    span.seconds = trace_->now() - span.start;
    --trace_->level_;
}

}  // namespace stl::inference
