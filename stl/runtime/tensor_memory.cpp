#include "stl/runtime/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace stl {
namespace {

constexpr std::size_t smallest_mapped = std::size_t{8} << 20;
constexpr std::size_t huge_page = std::size_t{2} << 20;

/// Sizes that differ by less than an eighth share their mappings; what a tensor leaves untouched takes no
/// memory.
std::size_t mapped_size(std::size_t bytes) {
    const auto step = std::bit_floor(bytes) / 8;
    return (bytes + step - 1) & ~(step - 1);
}

/// Begins at a huge page, so that it can consist of them. Null: the system has no more.
void* map(std::size_t size) {
    const auto all = size + huge_page;
    void* got = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) return nullptr;
    auto* const first = static_cast<std::byte*>(got);
    const auto before = (huge_page - reinterpret_cast<std::uintptr_t>(first) % huge_page) % huge_page;
    if (before > 0) ::munmap(first, before);
    ::munmap(first + before + size, all - before - size);
    ::madvise(first + before, size, MADV_HUGEPAGE);  // where there are none, small ones do
    return first + before;
}

}  // namespace

TensorMemory::~TensorMemory() {
    release();
}

c10::DataPtr TensorMemory::allocate(std::size_t bytes) {
    if (bytes == 0) return {nullptr, nullptr, &give_back, c10::kCPU};
    const auto all = bytes + sizeof(Header);
    const bool large = bytes >= smallest_mapped;
    const auto mapping = large ? take(mapped_size(all)) : Mapping{c10::alloc_cpu(all), all};
    auto* const header = ::new (mapping.begin) Header{large ? this : nullptr, mapping.size};
    void* const data = header + 1;
    return {data, data, &give_back, c10::kCPU};
}

c10::DeleterFnPtr TensorMemory::raw_deleter() const {
    return &give_back;
}

void TensorMemory::copy_data(void* to, const void* from, std::size_t bytes) const {
    default_copy_data(to, from, bytes);
}

void TensorMemory::give_back(void* data) {
    if (data == nullptr) return;
    auto* const header = static_cast<Header*>(data) - 1;
    if (header->owner != nullptr) {
        header->owner->keep({header, header->size});
    } else {
        c10::free_cpu(header);
    }
}

TensorMemory::Mapping TensorMemory::take(std::size_t size) {
    const std::scoped_lock lock(mutex_);
    const auto in_use = usage_.in_use + size, most_in_use = std::max(usage_.most_in_use, in_use);
    auto mapping = take_kept(size);
    if (mapping.begin == nullptr) {
        shrink_to(most_in_use + most_in_use / 8 - in_use);
        mapping.begin = map(size);
    }
    if (mapping.begin == nullptr) {
        shrink_to(0);
        mapping.begin = map(size);
    }
    TORCH_CHECK_WITH(OutOfMemoryError, mapping.begin != nullptr, "can't allocate memory: ", size, " bytes");
    usage_.in_use = in_use;
    usage_.most_in_use = most_in_use;
    return mapping;
}

TensorMemory::Mapping TensorMemory::take_kept(std::size_t size) {
    // The one that went last is likeliest to be in the caches.
    const auto found =
        std::ranges::find(kept_.rbegin(), kept_.rend(), size, [](const Mapping& m) { return m.size; });
    if (found == kept_.rend()) return {nullptr, size};
    const auto mapping = *found;
    kept_.erase(std::prev(found.base()));
    usage_.kept -= size;
    return mapping;
}

void TensorMemory::keep(Mapping mapping) {
    const std::scoped_lock lock(mutex_);
    kept_.push_back(mapping);
    usage_.in_use -= mapping.size;
    usage_.kept += mapping.size;
}

void TensorMemory::shrink_to(std::size_t size) {
    while (usage_.kept > size) {
        const auto oldest = kept_.front();
        kept_.pop_front();
        usage_.kept -= oldest.size;
        ::munmap(oldest.begin, oldest.size);
    }
}

void TensorMemory::release() {
    const std::scoped_lock lock(mutex_);
    shrink_to(0);
    usage_.most_in_use = usage_.in_use;
}

TensorMemory::Usage TensorMemory::usage() const {
    const std::scoped_lock lock(mutex_);
    return usage_;
}

void keep_freed_memory() {
    constexpr int larger_than_any = 1 << 30;
    mallopt(M_MMAP_THRESHOLD, larger_than_any);
    mallopt(M_TRIM_THRESHOLD, -1);  // never
    // Never destroyed: tensors may go after everything else.
    static auto* const memory = std::make_unique<TensorMemory>().release();
    c10::SetCPUAllocator(memory, /*priority=*/1);
}

void release_freed_memory() {
    if (auto* memory = dynamic_cast<TensorMemory*>(c10::GetCPUAllocator())) memory->release();
    malloc_trim(0);
}

}  // namespace stl
