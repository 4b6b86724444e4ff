#include "stl/cpu/parallel.h"

#include <immintrin.h>
#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace stl::cpu {
namespace {

using Call = void (*)(const void* task, int unit);

/// The index of this thread in the call that it works for; -1 outside.
thread_local int index_in_call = -1;

/// How long a thread looks for work, or waits for the others' last units, before it gives its core back. The
/// pauses between the calls of one forward pass are shorter; a neighbour on a busy machine loses no more than this.
constexpr std::chrono::microseconds patience{10};

/// Looks until ready() is true or the patience ends; returns ready().
template <class Ready>
bool look(const Ready& ready) {
    if (ready()) return true;
    const auto end = std::chrono::steady_clock::now() + patience;
    do {
        for (int i = 0; i < 16; ++i) {
            _mm_pause();
            if (ready()) return true;
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

/// What is left of a call, in one word, so that a thread which comes late cannot take a unit of the call after
/// the one that it saw: the call's number, its count of units, and the next unit.
class Ticket {
  public:
    static constexpr int bits = 20;
    static constexpr int most_units =
        (1 << bits) - (1 << 12);  ///< leaves room for threads that find nothing left

    static std::uint64_t of(std::uint64_t call, int units) {
        return call << (2 * bits) | static_cast<std::uint64_t>(units) << bits;
    }
    static int units(std::uint64_t ticket) { return static_cast<int>(ticket >> bits & mask); }
    static int next(std::uint64_t ticket) { return static_cast<int>(ticket & mask); }
    static bool any_left(std::uint64_t ticket) { return next(ticket) < units(ticket); }

  private:
    static constexpr std::uint64_t mask = (1 << bits) - 1;
};

/// The threads that help one calling thread. Units are handed out one at a time to whoever is free. The caller works
/// as well, and waits only for units that somebody has begun: a helper that gets no core delays nobody.
class Helpers {
  public:
    Helpers() = default;
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;
    ~Helpers() { stop(); }

    void run(int threads, int units, Call call, const void* task) {
        if (threads != threads_) restart(threads);
        call_ = call;
        task_ = task;
        for (first_ = 0; first_ < units; first_ += Ticket::most_units) {
            const int count = std::min(units - first_, Ticket::most_units);
            done_.store(0, std::memory_order_relaxed);
            ticket_.store(Ticket::of(++number_, count), std::memory_order_release);
            ticket_.notify_all();
            work(0);
            wait_for(count);
        }
    }

  private:
    /// Takes units until none is left.
    void work(int index) {
        int count = 0;
        index_in_call = index;
        while (Ticket::any_left(ticket_.load(std::memory_order_relaxed))) {
            const auto ticket = ticket_.fetch_add(1, std::memory_order_acquire);
            if (!Ticket::any_left(ticket)) break;
            call_(task_, first_ + Ticket::next(ticket));
            ++count;
        }
        index_in_call = -1;
        if (count == 0) return;
        done_.fetch_add(count, std::memory_order_acq_rel);
        if (index > 0) done_.notify_one();
    }

    void wait_for(int units) {
        const auto all = [&] { return done_.load(std::memory_order_acquire) == units; };
        if (look(all)) return;
        for (int done = done_.load(std::memory_order_acquire); done != units;
             done = done_.load(std::memory_order_acquire)) {
            done_.wait(done, std::memory_order_acquire);
        }
    }

    void help(int index) {
        for (;;) {
            std::uint64_t seen = 0;
            const auto called = [&] {
                seen = ticket_.load(std::memory_order_acquire);
                return Ticket::any_left(seen) || stopped_.load(std::memory_order_relaxed);
            };
            if (!look(called)) {
                ticket_.wait(seen, std::memory_order_acquire);
                continue;
            }
            if (stopped_.load(std::memory_order_acquire)) return;
            work(index);
        }
    }

    void stop() {
        stopped_.store(true, std::memory_order_release);
        ticket_.store(Ticket::of(++number_, 0), std::memory_order_release);
        ticket_.notify_all();
        for (auto& helper : helpers_) helper.join();
        helpers_.clear();
        stopped_.store(false, std::memory_order_release);
    }

    void restart(int threads) {
        stop();
        threads_ = threads;
        // Signals go to the program's own threads.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            for (int index = 1; index < threads; ++index)
                helpers_.emplace_back([this, index] { help(index); });
        } catch (const std::system_error&) {
            // The system gives no more threads: those that there are do the work.
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    alignas(64) std::atomic<std::uint64_t> ticket_{0};
    alignas(64) std::atomic<int> done_{0};
    alignas(64) std::atomic<bool> stopped_{false};
    std::uint64_t number_ = 0;
    Call call_ = nullptr;
    const void* task_ = nullptr;
    int first_ = 0;
    std::vector<std::thread> helpers_;
    int threads_ = 1;  ///< with the caller
};

}  // namespace

int thread_count() {
    return omp_get_max_threads();
}

void set_thread_count(int threads) {
    omp_set_num_threads(threads);
}

int thread_index() {
    return index_in_call >= 0 ? index_in_call : omp_get_thread_num();
}

void detail::run_units(int units, Call call, const void* task) {
    const int threads = thread_count();
    if (units <= 1 || threads <= 1 || index_in_call >= 0 || omp_in_parallel()) {
        for (int unit = 0; unit < units; ++unit) call(task, unit);
        return;
    }
    thread_local Helpers helpers;
    helpers.run(threads, units, call, task);
}

}  // namespace stl::cpu
