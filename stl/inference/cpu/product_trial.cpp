#include "stl/inference/cpu/product_trial.h"

namespace stl::inference {

void ProductTrial::run() {
    const auto& kernels = cpu::kernels();
    if (!plan_) {
        plan_.emplace(
            Map{torch::rand({outputs_, inputs_}, torch::kFloat64), torch::zeros({outputs_}, torch::kFloat64)},
            Planning{.precision = precision_, .kernels = kernels});
        in_ = torch::rand({rows_, inputs_});
        out_ = torch::empty({rows_, cpu::padded(static_cast<int>(outputs_))});
        workspace_.prepare(cpu::thread_count());
    }
    const Frame frame{kernels, workspace_, static_cast<int>(rows_), 1};
    plan_->run(frame, {in_.data_ptr<float>(), inputs_}, {out_.data_ptr<float>(), out_.size(1)});
}

}  // namespace stl::inference
