#include "stl/train/loss_log.h"

#include <cmath>

#include "stl/core/error.h"

namespace stl {

std::string what_stays(const RunFolder* folder) {
    if (folder == nullptr) return "the previous checkpoint, if there is one, is kept";
    const auto kept = folder->checkpoint("last");
    return fs::exists(kept) ? "the previous checkpoint is kept: " + kept.string()
                            : "no checkpoint was made yet";
}

double shown(double value) {
    return std::isnan(value) ? std::abs(value) : value;
}

void require_finite_loss(double loss, std::int64_t step, const RunFolder* folder) {
    if (std::isfinite(loss)) return;
    fail("step {}: the loss is {} (--detect-anomaly finds where it begins); {}", step, shown(loss),
         what_stays(folder));
}

LossLog::LossLog(const RunFolder* folder, Settings settings) : folder_(folder), settings_(settings) {
    if (folder_ != nullptr) events_.emplace(folder_->path());
}

void LossLog::start_at(std::int64_t step, double epoch_sum) {
    last_step_ = window_step_ = step;
    epoch_sum_ = epoch_sum;
    if (step > 0 && events_) events_->restart_at(step + 1);
    window_start_ = std::chrono::steady_clock::now();
}

void LossLog::add(std::int64_t step, double lr, const torch::Tensor& loss) {
    pending_.push_back({step, lr, loss});
    last_step_ = step;
    if (loss.is_cpu() || due(step)) flush();
}

void LossLog::measure_rate() {
    if (last_step_ == window_step_) return;
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - window_start_).count();
    rate_ = static_cast<double>((last_step_ - window_step_) * settings_.batch_size) / std::max(seconds, 1e-9);
    window_step_ = last_step_;
    window_start_ = now;
}

void LossLog::flush() {
    for (const auto& pending : pending_) {
        last_ = pending.loss.item<double>();
        require_finite_loss(last_, pending.step, folder_);
        epoch_sum_ += last_;
        if (!due(pending.step)) continue;
        measure_rate();
        if (folder_ != nullptr) write(pending.step, pending.lr, last_);
    }
    pending_.clear();
}

void LossLog::write(std::int64_t step, double lr, double loss) {
    const auto epoch = (step - 1) / settings_.steps_per_epoch + 1;
    folder_->append_metrics(
        {{"step", step}, {"epoch", epoch}, {"loss", loss}, {"lr", lr}, {"seq_per_s", rate_}});
    events_->add(step, {{"train/loss", loss}, {"train/lr", lr}, {"train/seq_per_s", rate_}});
}

void LossLog::end_epoch(Json line) {
    Json whole = {{"steps", last_step_}, {"epoch", (last_step_ - 1) / settings_.steps_per_epoch + 1}};
    std::vector<std::pair<std::string, double>> scalars;
    for (const auto& [key, value] : line.items()) {
        whole[key] = value;
        if (value.is_number()) scalars.emplace_back("epoch/" + key, value.get<double>());
    }
    if (folder_ != nullptr) {
        folder_->append_metrics(whole);
        events_->add(last_step_, scalars);
    }
    epoch_sum_ = 0;
    // Validation's time is no training time, and the steps before it have had theirs.
    window_step_ = last_step_;
    window_start_ = std::chrono::steady_clock::now();
}

}  // namespace stl
