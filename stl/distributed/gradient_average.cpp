#include "stl/distributed/gradient_average.h"

#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <algorithm>
#include <numeric>

#include "stl/distributed/group.h"

namespace stl {

class GradientAverage::Impl {
  public:
    Impl(const Group& group, const std::vector<torch::Tensor>& parameters)
        : reducer_(parameters, buckets(parameters), group.engine(),
                   std::vector<bool>(parameters.size(), false), c10d::kDefaultBucketBytesCap,
                   /*find_unused_parameters=*/true, /*gradient_as_bucket_view=*/false, {},
                   c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false,
                   /*use_python_reducer=*/false, {}) {}

    void backward(const torch::Tensor& loss) {
        const c10::WarningUtils::WarningHandlerGuard silent(&nobody_);
        reducer_.prepare_for_backward({loss});
        loss.backward();
    }

  private:
    /// As DistributedDataParallel has them: from the last parameter, whose gradient is the first one there, a small
    /// bucket to begin with.
    static std::vector<std::vector<std::size_t>> buckets(const std::vector<torch::Tensor>& parameters) {
        auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
            parameters, {c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap});
        std::ranges::reverse(buckets);
        return buckets;
    }

    /// The Reducer would tell every user that no parameter is unused, and that a gradient's memory has another order.
    struct Nobody : c10::WarningHandler {
        void process(const c10::Warning& /*warning*/) override {}
    } nobody_;
    c10d::Reducer reducer_;
};

GradientAverage::GradientAverage(const Group& group, std::vector<torch::Tensor> parameters)
    : impl_(std::make_unique<Impl>(group, parameters)) {}
GradientAverage::~GradientAverage() = default;

void GradientAverage::backward(const torch::Tensor& loss) {
    impl_->backward(loss);
}

}  // namespace stl
