#include "stl/train/background.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace stl {

Background::Background() : thread_([this] { work(); }) {}

Background::~Background() {
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Background::add(std::function<void()> job) {
    constexpr std::size_t most = 2;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return jobs_.size() < most; });
    rethrow();
    jobs_.push_back(std::move(job));
    changed_.notify_all();
}

void Background::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return jobs_.empty(); });
    rethrow();
}

void Background::rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Background::work() {
    constexpr int lower_priority = 10;
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), lower_priority);  // of this thread alone
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !jobs_.empty() || ends_; });
        if (jobs_.empty()) return;
        auto job = std::move(jobs_.front());
        lock.unlock();
        std::exception_ptr error;
        try {
            job();
        } catch (...) {
            error = std::current_exception();
        }
        job = nullptr;  // and what it holds
        lock.lock();
        jobs_.pop_front();
        if (error) {
            error_ = error;
            jobs_.clear();
        }
        changed_.notify_all();
    }
}

}  // namespace stl
