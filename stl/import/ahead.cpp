#include "stl/import/ahead.h"
#include "stl/core/cores.h"

#include <algorithm>

namespace stl {
namespace {

constexpr std::size_t most_bytes_ahead = std::size_t{16} << 20;  // of each source

/// Every one holds a decoder's pictures, so not as many as there are cores.
std::size_t sources_at_once() {
    return static_cast<std::size_t>(std::clamp(available_cores() / 2, 2, 4));
}

}  // namespace

AheadStream::AheadStream(Open open, std::size_t most_bytes)
    : most_bytes_(most_bytes), thread_([this, open = std::move(open)] { work(open); }) {}

AheadStream::~AheadStream() {
    {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void AheadStream::work(const Open& open) {
    try {
        auto stream = open();
        {
            const std::lock_guard lock(mutex_);
            stream_ = std::move(stream);
        }
        changed_.notify_all();
        read_frames();
    } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

void AheadStream::read_frames() {
    for (;;) {
        StreamFrame frame;
        if (!stream_->next(frame)) return;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return abandoned_ || waiting_bytes_ < most_bytes_; });
        if (abandoned_) return;
        waiting_bytes_ += frame.values.size();
        frames_.push_back(std::move(frame));
        changed_.notify_all();
    }
}

const FrameStream& AheadStream::opened() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stream_ || ended_; });
    if (!stream_) std::rethrow_exception(failure_);
    return *stream_;
}

bool AheadStream::next(StreamFrame& frame) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !frames_.empty() || ended_; });
    if (frames_.empty() && failure_) std::rethrow_exception(failure_);
    if (frames_.empty()) return false;
    frame = std::move(frames_.front());
    frames_.pop_front();
    waiting_bytes_ -= frame.values.size();
    changed_.notify_all();
    return true;
}

AheadStreams::AheadStreams(std::size_t count, std::function<std::unique_ptr<FrameStream>(std::size_t)> open)
    : count_(count), open_(std::move(open)) {}

void AheadStreams::start_more() {
    while (started_ < count_ && streams_.size() < sources_at_once()) {
        streams_.push_back(std::make_unique<AheadStream>([open = open_, i = started_] { return open(i); },
                                                         most_bytes_ahead));
        ++started_;
    }
}

std::unique_ptr<FrameStream> AheadStreams::next() {
    start_more();
    auto stream = std::move(streams_.front());
    streams_.pop_front();
    return stream;
}

}  // namespace stl
