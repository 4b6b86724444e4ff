// Work that a training need not wait for: writing its checkpoints.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace stl {

/// Does jobs one after the other on a thread of its own, at a lower priority than the program's. After one that threw
/// the others are dropped.
class Background {
  public:
    Background();
    /// Waits for the jobs at hand; an exception of theirs is lost.
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    /// Waits while two jobs are there already. Throws what an earlier job threw, once.
    void add(std::function<void()> job);
    /// For all jobs. Throws what one of them threw, once.
    void wait();

  private:
    void work();
    void rethrow();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;  ///< the first one is being done
    std::exception_ptr error_;
    bool ends_ = false;
    std::thread thread_;
};

}  // namespace stl
