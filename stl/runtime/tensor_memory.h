// The memory of LibTorch's tensors on the CPU, kept when they go for the next ones of their size.
//
// A step of training frees large tensors and asks for the same again. malloc either gives such memory back to
// the system, and having it anew, page by page, costs a tenth of a step and more; or, told to keep it, breaks
// it up, and holds up to two and a half times of what is in use. Here each large tensor has a mapping of its
// own, in huge pages where the system has them, which then waits for the next one of its size. Those that
// wait longest go back before more is mapped than an eighth beyond the most that was in use at once.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>
#include <deque>
#include <mutex>

namespace stl {

/// Tensors of 8 MiB and more are kept, smaller ones are malloc's. Safe to use from several threads. Has to
/// outlive its tensors.
class TensorMemory final : public c10::Allocator {
  public:
    TensorMemory() = default;
    ~TensorMemory() override;
    TensorMemory(const TensorMemory&) = delete;
    TensorMemory& operator=(const TensorMemory&) = delete;

    /// 64-byte aligned. Error (c10::OutOfMemoryError): the system has no more.
    c10::DataPtr allocate(std::size_t bytes) override;
    c10::DeleterFnPtr raw_deleter() const override;
    void copy_data(void* to, const void* from, std::size_t bytes) const override;

    /// Gives back to the system what is kept, and forgets how much was in use before.
    void release();

    /// Bytes mapped.
    struct Usage {
        std::size_t in_use = 0, most_in_use = 0;
        std::size_t kept = 0;  ///< for the next tensors
    };
    Usage usage() const;

  private:
    struct Mapping {
        void* begin;
        std::size_t size;
    };
    /// Where a tensor's memory begins, in front of its data, and as long as its alignment.
    struct alignas(64) Header {
        TensorMemory* owner;  ///< null: malloc's
        std::size_t size;     ///< bytes, these included
    };

    static void give_back(void* data);
    Mapping take(std::size_t size);
    /// Its begin is null if none of this size is kept.
    Mapping take_kept(std::size_t size);
    void keep(Mapping mapping);
    /// The oldest go until `size` bytes at most are kept.
    void shrink_to(std::size_t size);

    mutable std::mutex mutex_;
    std::deque<Mapping> kept_;  ///< the oldest first
    Usage usage_;
};

/// From now on LibTorch's tensors on the CPU come from a TensorMemory, and malloc keeps what is freed: small
/// memory comes and goes as often. For the program to call, before all else.
void keep_freed_memory();
/// What both keep goes back to the system.
void release_freed_memory();

}  // namespace stl
