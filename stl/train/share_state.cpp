#include "stl/train/share_state.h"

#include <ATen/Context.h>

#include <algorithm>

#include "stl/core/names.h"
#include "stl/core/random.h"

namespace stl {
namespace {

at::Generator generator_of(const RunState& state) {
    return at::globalContext().defaultGenerator(state.device);
}

void share_tensors(RunState& state, const Group& group) {
    std::vector<torch::Tensor> tensors;
    for (const auto& [name, tensor] : state_of(*state.model)) tensors.push_back(tensor);
    if (state.average) {
        for (const auto& [name, tensor] : state.average->state()) tensors.push_back(tensor);
    }
    auto optimizer = state.optimizer->state();
    std::vector<double> counts;
    for (const auto& one : optimizer.parameters) {
        counts.push_back(one.step);
        for (const auto& moment : {one.exp_avg, one.exp_avg_sq}) {
            if (moment.defined()) tensors.push_back(moment);
        }
    }
    const auto steps = torch::tensor(counts, torch::kFloat64);
    tensors.push_back(steps);
    group.broadcast(tensors);
    for (std::size_t i = 0; i < counts.size(); ++i)
        optimizer.parameters[i].step = steps[static_cast<std::int64_t>(i)].item<double>();
    state.optimizer->load(optimizer, "rank 0");
}

void share_standing(RunState& state, const Group& group) {
    auto& now = state.now;
    const auto numbers = group.gather(
        std::vector<double>{static_cast<double>(now.step), now.epoch_sum, now.seconds, now.best_loss,
                            now.validation_pending ? 1.0 : 0.0, static_cast<double>(now.since_best)});
    const auto& first = numbers.front();
    now = {.step = static_cast<std::int64_t>(first[0]),
           .epoch_sum = first[1],
           .seconds = first[2],
           .best_loss = first[3],
           .validation_pending = first[4] != 0,
           .since_best = static_cast<std::int64_t>(first[5])};
}

void tell_other_ranks(std::size_t before, int now, Reporter& reporter) {
    reporter.info(
        fmt::format("the run was on {}, now on {}: dropout and stochastic depth draw other random numbers",
                    counted(static_cast<std::int64_t>(before), "rank"), now));
}

void share_random(RunState& state, const Group& group, std::uint64_t seed, Reporter& reporter) {
    const auto counts = group.gather(std::vector{static_cast<double>(state.rank_random.size())});
    const auto stored = static_cast<std::size_t>(counts.front().front());
    const auto ranks = static_cast<std::size_t>(group.size());
    if (state.now.step > 0 && stored + 1 != ranks) tell_other_ranks(stored + 1, group.size(), reporter);
    auto generator = generator_of(state);
    if (!group.leads()) {
        StreamRandom seeds(seed ^ static_cast<std::uint64_t>(state.now.step) << 32U,
                           static_cast<std::uint64_t>(group.rank()));
        generator.set_current_seed(seeds.next_u64());
    }
    for (std::size_t i = 0; i < std::min(stored, ranks - 1); ++i) {
        auto random = group.leads() ? state.rank_random[i] : generator.get_state();
        group.broadcast({random});
        if (group.rank() == static_cast<int>(i) + 1) generator.set_state(random);
    }
}

}  // namespace

void share_state(RunState& state, const Group& group, std::uint64_t seed, Reporter& reporter) {
    share_tensors(state, group);
    share_standing(state, group);
    share_random(state, group, seed, reporter);
}

void gather_random(RunState& state, const Group& group) {
    const auto own = generator_of(state).get_state();
    const auto all = group.gather(std::string(static_cast<const char*>(own.const_data_ptr()), own.nbytes()));
    state.rank_random.clear();
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
        const auto one = torch::empty_like(own);
        std::ranges::copy(all[rank], static_cast<char*>(one.mutable_data_ptr()));
        state.rank_random.push_back(one);
    }
}

void forget_other_ranks(RunState& state, Reporter& reporter) {
    if (state.rank_random.empty()) return;
    tell_other_ranks(state.rank_random.size() + 1, 1, reporter);
    state.rank_random.clear();
}

}  // namespace stl
