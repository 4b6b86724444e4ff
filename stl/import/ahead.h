// Sources decoded ahead of their turn, each in a thread of its own: short clips, and kinds that decode in one
// thread (GIF), keep all cores busy too. Frames come out in order all the same.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "stl/import/frame_stream.h"

namespace stl {

/// One source. Opens and reads it in the background until `most_bytes` of frames wait.
class AheadStream : public FrameStream {
  public:
    using Open = std::function<std::unique_ptr<FrameStream>()>;
    AheadStream(Open open, std::size_t most_bytes);
    ~AheadStream() override;
    AheadStream(const AheadStream&) = delete;
    AheadStream& operator=(const AheadStream&) = delete;

    /// These wait for the source to be opened, and throw what went wrong with it.
    bool next(StreamFrame& frame) override;
    double fps() const override { return opened().fps(); }
    double duration() const override { return opened().duration(); }
    std::string damage() const override { return opened().damage(); }
    std::optional<ValueRange> range() const override { return opened().range(); }
    Timing timing() const override { return opened().timing(); }

  private:
    void work(const Open& open);
    void read_frames();
    const FrameStream& opened() const;

    const std::size_t most_bytes_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::unique_ptr<FrameStream> stream_;  ///< set once, then the thread's until it ends
    std::deque<StreamFrame> frames_;
    std::size_t waiting_bytes_ = 0;
    std::exception_ptr failure_;
    bool ended_ = false, abandoned_ = false;
    std::thread thread_;  ///< last: it uses all of the above
};

/// Several sources, the next few of which are at work.
class AheadStreams {
  public:
    /// `open`: source by number.
    AheadStreams(std::size_t count, std::function<std::unique_ptr<FrameStream>(std::size_t)> open);
    /// The streams in order, `count` times.
    std::unique_ptr<FrameStream> next();

  private:
    void start_more();

    std::size_t count_, started_ = 0;
    std::function<std::unique_ptr<FrameStream>(std::size_t)> open_;
    std::deque<std::unique_ptr<FrameStream>> streams_;
};

}  // namespace stl
