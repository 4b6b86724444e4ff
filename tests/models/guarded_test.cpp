// Training in bfloat16 in memory whose surroundings are watched: nothing may be written behind a tensor. oneDNN does
// so on some processors (stl/ops/convolve.cpp), and without a watch that shows much later, elsewhere, or
// never.
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <span>
#include <unordered_map>

#include "stl/cpu/isa.h"
#include "stl/models/simvp.h"
#include "stl/ops/convolve.h"
#include "stl/runtime/autocast.h"

namespace stl {
namespace {

using testing::IsEmpty;
using torch::Tensor;

/// While it lives, LibTorch's new memory on the CPU, oneDNN's scratch memory included, has a known pattern behind it,
/// looked at when it is freed. malloc's otherwise, so that memory may outlive this, or be older.
class GuardedMemory final : public c10::Allocator {
  public:
    GuardedMemory() : before_(c10::GetCPUAllocator()) {
        current = this;
        c10::SetCPUAllocator(this, priority);
    }
    ~GuardedMemory() override {
        c10::SetCPUAllocator(before_, priority);
        current = nullptr;
    }
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;

    /// "32 of the bytes behind 2", for each damaged tensor.
    const std::vector<std::string>& damages() const { return damages_; }

    c10::DataPtr allocate(std::size_t bytes) override {
        if (bytes == 0) return {nullptr, nullptr, &give_back, c10::kCPU};
        auto* const data = static_cast<std::byte*>(c10::alloc_cpu(bytes + guard));
        std::memset(data + bytes, std::to_integer<int>(pattern), guard);
        const std::scoped_lock lock(mutex_);
        sizes_[data] = bytes;
        return {data, data, &give_back, c10::kCPU};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        default_copy_data(to, from, bytes);
    }

  private:
    static constexpr std::size_t guard = 4096;
    static constexpr std::byte pattern{0xa5};
    static constexpr std::uint8_t priority = 1;  // the program's own, TensorMemory's

    static void give_back(void* data) {
        if (current != nullptr) current->look_behind(data);
        c10::free_cpu(data);
    }

    void look_behind(void* data) {
        const std::scoped_lock lock(mutex_);
        const auto found = sizes_.find(data);
        if (found == sizes_.end()) return;
        const std::span behind(static_cast<const std::byte*>(data) + found->second, guard);
        const auto damaged = std::ranges::count_if(behind, [](std::byte b) { return b != pattern; });
        if (damaged > 0) damages_.push_back(fmt::format("{} of the bytes behind {}", damaged, found->second));
        sizes_.erase(found);
    }

    inline static GuardedMemory* current = nullptr;
    c10::Allocator* before_;
    std::mutex mutex_;
    std::unordered_map<void*, std::size_t> sizes_;
    std::vector<std::string> damages_;
};

/// On two threads, as the damage asks for.
class Guarded : public testing::Test {
  protected:
    void SetUp() override {
        at::set_num_threads(2);
        torch::manual_seed(1);
    }
    void TearDown() override { at::set_num_threads(threads_); }

    static bool has_tiles() { return std::ranges::count(cpu::available_isas(), cpu::Isa::amx) > 0; }

  private:
    int threads_ = at::get_num_threads();
};

constexpr auto no_tiles =
    "NOT RUN: oneDNN wrote behind its memory on processors with AMX, and this one has none, or the process "
    "may not "
    "use it";

TEST_F(Guarded, ADamageIsSeen) {
    GuardedMemory memory;
    {
        const auto harmless = torch::zeros({3}), damaged = torch::zeros({3});
        std::memset(damaged.mutable_data_ptr<float>() + 3, 0, 2);
    }
    EXPECT_THAT(memory.damages(), testing::ElementsAre("2 of the bytes behind 12"));
}

TEST_F(Guarded, BiasOfFewOutputsOfManyInputs) {
    if (!has_tiles()) GTEST_SKIP() << no_tiles;
    constexpr std::int64_t inputs = 4096;  // MogaNet's, in the channel aggregation of the benchmark
    for (const std::int64_t outputs : {1, 3, 15, 16}) {
        SCOPED_TRACE(outputs);
        const auto x = torch::randn({4, inputs, 16, 16}, torch::kBFloat16);
        const auto weight = torch::randn({outputs, inputs, 1, 1}).div_(64).requires_grad_();
        const auto bias = torch::randn({outputs}).requires_grad_();
        const auto y_grad = torch::randn({4, outputs, 16, 16}, torch::kBFloat16);
        Tensor y, expected;
        GuardedMemory memory;
        {
            const Autocast autocast(torch::kCPU, true);
            y = ops::convolve(x, {.weight = weight, .bias = bias});
            expected = torch::conv2d(x, weight, bias.detach());
        }
        y.backward(y_grad);
        EXPECT_THAT(memory.damages(), IsEmpty());
        EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
        EXPECT_TRUE(y.equal(expected));
        EXPECT_TRUE(torch::allclose(bias.grad(), y_grad.sum({0, 2, 3}, false, torch::kFloat32), 1e-2, 1e-2));
    }
}

/// Of the benchmark's widths, with as few blocks as there can be.
TEST_F(Guarded, StepOfMogaNet) {
    if (!has_tiles()) GTEST_SKIP() << no_tiles;
    for (const bool fast : {false, true}) {
        SCOPED_TRACE(fast ? "fast" : "plain");
        SimVP model(SimVPOptions{.translator = "moganet", .hid_S = 64, .hid_T = 512, .N_T = 2});
        model->train();
        if (fast) set_operations(*model, ops::fast_operations(torch::kCPU));
        GuardedMemory memory;
        {
            const auto frames = torch::rand({1, 10, 1, 64, 64});
            Tensor y;
            {
                const Autocast autocast(torch::kCPU, true);
                y = model->forward(frames);
            }
            torch::mse_loss(y.to(torch::kFloat32), frames).backward();
            model->zero_grad();
        }
        EXPECT_THAT(memory.damages(), IsEmpty());
    }
}

}  // namespace
}  // namespace stl
