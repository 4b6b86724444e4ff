// Work on a stack of its own, which can pause in the midst of it.
#pragma once

#include <setjmp.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace stl::gpu::emulated {

class Fiber {
  public:
    /// work: called at the first resume(), and again at the next one after it returned.
    explicit Fiber(std::function<void()> work);
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Returns when the work pauses or ends.
    void resume();
    /// From within the work: back to resume(), until the next one.
    void pause();

  private:
    void start();
    static void run();

    std::function<void()> work_;
    std::unique_ptr<std::byte[]> stack_;
    bool started_ = false;
    jmp_buf inside_, outside_;
};

}  // namespace stl::gpu::emulated
