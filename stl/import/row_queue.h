// Hands finished sequences to a thread that compresses and writes them, a few at a time.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "stl/formats/sequences.h"

namespace stl {

/// Thrown to the thread that makes sequences when writing failed; finish() throws what happened.
struct WritingFailed {};

class RowQueue {
  public:
    RowQueue(SequenceWriter& writer, DType dtype, std::size_t most_waiting);
    ~RowQueue();
    RowQueue(const RowQueue&) = delete;
    RowQueue& operator=(const RowQueue&) = delete;

    /// Waits while too many are waiting. Throws WritingFailed.
    void push(std::vector<std::byte> row);
    /// Waits until all is written. Throws what went wrong.
    void finish();

  private:
    void work();

    SequenceWriter& writer_;
    DType dtype_;
    std::size_t most_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::vector<std::byte>> rows_;
    bool closed_ = false;
    std::exception_ptr failure_;
    std::thread thread_;  ///< last: it uses all of the above
};

}  // namespace stl
