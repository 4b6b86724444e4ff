#undef _FORTIFY_SOURCE  // its longjmp refuses to go to another stack

#include "stl/gpu/emulated/fiber.h"

#include <ucontext.h>

#include <stdexcept>

namespace stl::gpu::emulated {
namespace {

constexpr std::size_t stack_size = std::size_t{256} << 10;  // touched as far as it is used

Fiber* starting = nullptr;

}  // namespace

Fiber::Fiber(std::function<void()> work)
    : work_(std::move(work)), stack_(std::make_unique_for_overwrite<std::byte[]>(stack_size)) {}

// Contexts take a fiber to its stack; from then on jumps are enough, which need no system call.
void Fiber::start() {
    ucontext_t context;
    if (getcontext(&context) != 0) throw std::runtime_error("no context for a fiber");
    context.uc_stack.ss_sp = stack_.get();
    context.uc_stack.ss_size = stack_size;
    context.uc_link = nullptr;
    makecontext(&context, run, 0);
    started_ = true;
    starting = this;
    setcontext(&context);
}

void Fiber::run() {
    auto& self = *starting;
    for (;;) {
        self.work_();
        self.pause();
    }
}

void Fiber::resume() {
    if (_setjmp(outside_) != 0) return;
    if (!started_) start();
    _longjmp(inside_, 1);
}

void Fiber::pause() {
    if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
}

}  // namespace stl::gpu::emulated
