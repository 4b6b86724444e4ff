// What every translator that the reference has must be: equal to it in every golden folder of tests/fixtures/models, on
// every device that this machine has, and well-behaved beyond them.

#include <gtest/gtest.h>

#include <ATen/Context.h>

#include <cmath>
#include <set>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "stl/models/registry.h"
#include "stl/models/translators/block.h"
#include "stl/models/translators/tau.h"
#include "stl/runtime/device.h"
#include "tests/support/golden.h"
#include "tests/support/translators.h"

namespace stl {
namespace {

using test::Golden;

// The bounds that the project promises; none may be widened.
constexpr double output_bound = 1e-5;
constexpr double output_bound64 = 1e-10;
constexpr double loss_bound = 1e-5;
constexpr double gradient_bound = 1e-4;
constexpr double negligible_gradient = 1e-6;  // of the largest of all
constexpr double steps_bound = 1e-4;

std::vector<std::string> devices() {
    std::vector<std::string> names{"cpu"};
    if (!list_gpus().empty()) names.emplace_back("cuda");
    return names;
}

/// A golden folder's model on a device, with the stored weights.
struct Subject {
    Subject(const Golden& golden, const torch::Device& device, torch::Dtype dtype = torch::kFloat32,
            bool stochastic_depth = false) {
        auto options = golden.options;
        if (!stochastic_depth) options.drop_path = options.drop_path_first = 0.0;
        model = SimVP(options, Weights::unset);
        const auto checkpoint =
            read_checkpoint(STL_TEST_DATA "/models/" + golden.name + "/checkpoint.pth", false);
        load_weights(*model, checkpoint.state, golden.name);
        model->to(device, dtype);
        to = torch::TensorOptions(device).dtype(dtype);
    }
    torch::Tensor input(const Golden& golden, const std::string& name) const {
        return golden.read(name).to(to);
    }

    SimVP model{nullptr};
    torch::TensorOptions to;
};

/// PoolFormer's token mixer subtracts what it averages, so that the norm's bias before it cancels out.
bool is_zero_in_truth(const Golden& golden, const std::string& parameter) {
    return golden.options.translator == "poolformer" && parameter.ends_with("norm1.bias");
}

/// Deviation of each gradient over the larger of its own largest value and a millionth of the largest of all.
/// Where the true gradient is zero, what is stored is rounding noise, as large as the bound itself: it is
/// allowed for.
double gradient_deviation(const torch::nn::Module& model, const Golden& golden, std::string& worst) {
    double of_all = 0.0;
    for (const auto& name : golden.list("grads")) {
        of_all = std::max(of_all, test::largest(golden.read("grads/" + name)));
    }
    double most = 0.0;
    for (const auto& parameter : model.named_parameters()) {
        const auto theirs = golden.read("grads/" + parameter.key());
        const auto scale = std::max(test::largest(theirs), negligible_gradient * of_all);
        auto difference = test::deviation(parameter.value().grad(), theirs);
        if (is_zero_in_truth(golden, parameter.key())) {
            difference -= golden.deviation.at("grads/" + parameter.key()).at("max_abs_dev_f64").get<double>();
        }
        const auto deviation = difference / scale;
        if (deviation > most) {
            most = deviation;
            worst = parameter.key();
        }
    }
    return most;
}

/// Adam as the reference's training has it (Kingma and Ba 2015), with the learning rate and beta1 of each
/// step given.
class Adam {
  public:
    explicit Adam(std::vector<torch::Tensor> parameters) : parameters_(std::move(parameters)) {
        for (const auto& p : parameters_) {
            first_.push_back(torch::zeros_like(p));
            second_.push_back(torch::zeros_like(p));
        }
    }
    void step(double lr, double beta1) {
        const torch::NoGradGuard no_grad;
        constexpr double beta2 = 0.999, eps = 1e-8;
        ++steps_;
        const double correction1 = 1.0 - std::pow(beta1, steps_), correction2 = 1.0 - std::pow(beta2, steps_);
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            const auto& gradient = parameters_[i].grad();
            first_[i].mul_(beta1).add_(gradient, 1.0 - beta1);
            second_[i].mul_(beta2).addcmul_(gradient, gradient, 1.0 - beta2);
            const auto scale = (second_[i] / correction2).sqrt() + eps;
            parameters_[i].addcdiv_(first_[i], scale, -lr / correction1);
        }
    }

  private:
    std::vector<torch::Tensor> parameters_, first_, second_;
    int steps_ = 0;
};

/// The losses of the folder's training steps, in the model's precision.
torch::Tensor train_steps(Subject& subject, const Golden& golden) {
    const auto x = subject.input(golden, "steps/x"), y = subject.input(golden, "steps/y");
    const auto lrs = golden.read("lrs"), beta1 = golden.read("beta1");
    Adam adam(subject.model->parameters());
    std::vector<double> losses;
    for (std::int64_t i = 0; i < x.size(0); ++i) {
        subject.model->zero_grad();
        const auto loss = torch::mse_loss(subject.model->predict(x[i]), y[i]);
        loss.backward();
        losses.push_back(loss.item<double>());
        adam.step(lrs[i].item<double>(), beta1[i].item<double>());
    }
    return torch::tensor(losses, torch::kFloat64);
}

class GoldenContract : public testing::TestWithParam<std::tuple<std::string, std::string>> {
  protected:
    GoldenContract() : golden(std::get<0>(GetParam())), device(open_device(std::get<1>(GetParam()))) {
        at::globalContext().setAllowTF32CuDNN(false);
        at::globalContext().setAllowTF32CuBLAS(false);
    }
    void report(const char* what, double deviation) {
        RecordProperty(what, fmt::format("{:.2e}", deviation));
    }

    const Golden golden;
    const torch::Device device;
};

TEST_P(GoldenContract, HasTheCheckpointsNamesInItsOrder) {
    const auto checkpoint =
        read_checkpoint(STL_TEST_DATA "/models/" + golden.name + "/checkpoint.pth", false);
    const auto ours = state_of(*SimVP(golden.options, Weights::unset));
    ASSERT_EQ(ours.size(), checkpoint.state.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_EQ(ours[i].first, checkpoint.state[i].first);
        EXPECT_EQ(ours[i].second.sizes(), checkpoint.state[i].second.sizes()) << ours[i].first;
        EXPECT_EQ(ours[i].second.scalar_type(), checkpoint.state[i].second.scalar_type()) << ours[i].first;
    }
}

TEST_P(GoldenContract, EvaluatesAsTheReference) {
    const torch::NoGradGuard no_grad;
    Subject subject(golden, device);
    subject.model->eval();
    const auto x = subject.input(golden, "x");
    const auto output = test::relative_deviation(subject.model->forward(x), golden.read("y_eval64"));
    report("output_f32", output);
    EXPECT_LE(output, output_bound);
    EXPECT_LE(test::relative_deviation(subject.model->predict(x), golden.read("y_rollout")), output_bound);

    Subject precise(golden, device, torch::kFloat64);
    precise.model->eval();
    const auto output64 =
        test::relative_deviation(precise.model->forward(precise.input(golden, "x")), golden.read("y_eval64"));
    report("output_f64", output64);
    EXPECT_LE(output64, output_bound64);
}

TEST_P(GoldenContract, TrainsOneStepAsTheReference) {
    Subject subject(golden, device);
    const auto y = subject.model->predict(subject.input(golden, "x"));
    const auto loss = torch::mse_loss(y, subject.input(golden, "target"));
    loss.backward();
    EXPECT_LE(test::relative_deviation(y, golden.read("y_train")), output_bound);
    const auto loss_deviation = test::relative_deviation(loss, golden.read("train_loss"));
    report("loss_f32", loss_deviation);
    EXPECT_LE(loss_deviation, loss_bound);

    std::string worst;
    const auto gradients = gradient_deviation(*subject.model, golden, worst);
    report("gradient_f32", gradients);
    EXPECT_LE(gradients, gradient_bound) << worst;

    const auto buffers = subject.model->named_buffers();
    for (const auto& name : golden.list("bn_after")) {
        const auto theirs = golden.read("bn_after/" + name);
        EXPECT_LE(test::relative_deviation(buffers[name], theirs), output_bound) << name;
    }
}

TEST_P(GoldenContract, TrainsOneStepAsTheReferenceInDoublePrecision) {
    // The stored gradients are float32; the reference itself says how far they are from its float64 ones.
    Subject subject(golden, device, torch::kFloat64);
    const auto loss =
        torch::mse_loss(subject.model->predict(subject.input(golden, "x")), subject.input(golden, "target"));
    loss.backward();
    const auto theirs = golden.deviation.at("train_loss").at("f64").get<double>();
    const auto loss_deviation = std::abs(loss.item<double>() - theirs) / theirs;
    report("loss_f64", loss_deviation);
    EXPECT_LE(loss_deviation, output_bound64);
    for (const auto& parameter : subject.model->named_parameters()) {
        const auto stored = golden.read("grads/" + parameter.key());
        const auto noise =
            golden.deviation.at("grads/" + parameter.key()).at("max_abs_dev_f64").get<double>();
        const auto deviation = test::deviation(parameter.value().grad(), stored);
        EXPECT_NEAR(deviation, noise, 1e-10 * test::largest(stored) + 1e-15) << parameter.key();
    }
}

TEST_P(GoldenContract, TrainsEightStepsAsTheReference) {
    Subject subject(golden, device);
    const auto losses = train_steps(subject, golden);
    const auto deviation = test::relative_deviation(losses, golden.read("losses"));
    report("losses_f32", deviation);
    for (std::int64_t i = 0; i < losses.size(0); ++i) {
        const auto theirs = golden.read("losses")[i].item<double>();
        EXPECT_NEAR(losses[i].item<double>(), theirs, steps_bound * theirs) << "step " << i;
    }
    // Adam divides by the gradient's own size, so that rounding moves a parameter whose gradient is zero in
    // truth as far as any other. The reference's own distance from float64 tells how much of that there is.
    const auto lrs = golden.read("lrs").sum().item<double>();
    double most = 0.0;
    for (const auto& parameter : subject.model->named_parameters()) {
        const auto theirs = golden.read("after/" + parameter.key());
        const auto noise =
            golden.deviation.at("after/" + parameter.key()).at("max_abs_dev_f64").get<double>();
        const auto bound = std::min(10.0 * noise, lrs) + steps_bound * test::largest(theirs);
        const auto moved = test::deviation(parameter.value(), theirs);
        EXPECT_LE(moved, bound) << parameter.key();
        most = std::max(most, moved);
    }
    report("after_f32_absolute", most);
    const auto buffers = subject.model->named_buffers();
    for (const auto& name : golden.list("after_bufs")) {
        EXPECT_LE(test::relative_deviation(buffers[name], golden.read("after_bufs/" + name)), steps_bound)
            << name;
    }
}

TEST_P(GoldenContract, TrainsEightStepsAsTheReferenceInDoublePrecision) {
    Subject subject(golden, device, torch::kFloat64);
    const auto deviation = test::relative_deviation(train_steps(subject, golden), golden.read("losses64"));
    report("losses_f64", deviation);
    EXPECT_LE(deviation, output_bound64);
}

TEST_P(GoldenContract, BuildsStochasticDepthAsTheReference) {
    std::vector<double> ours, theirs;
    for (const auto& entry : golden.config.at("drop_path_rates_as_built")) theirs.push_back(entry.at("p"));
    if (!theirs.empty()) {
        for (const auto& block : block_options(golden.options)) {
            if (block.drop_path > 0.0) ours.push_back(block.drop_path);
        }
    }
    EXPECT_EQ(ours, theirs);
}

TEST_P(GoldenContract, ScalesKeptBranches) {
    // With stochastic depth on, most draws keep every branch; then the loss is the stored one.
    if (!golden.has("droppath_all_kept/train_loss")) return;
    const auto theirs = golden.read("droppath_all_kept/train_loss").item<double>();
    Subject subject(golden, device, torch::kFloat32, /*stochastic_depth=*/true);
    const torch::NoGradGuard no_grad;
    int equal = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        torch::manual_seed(seed);
        const auto loss = torch::mse_loss(subject.model->predict(subject.input(golden, "x")),
                                          subject.input(golden, "target"));
        equal += std::abs(loss.item<double>() - theirs) <= loss_bound * theirs ? 1 : 0;
    }
    EXPECT_GE(equal, 4) << "of 20 draws";
}

TEST_P(GoldenContract, KeepsSequencesOfABatchApart) {
    const torch::NoGradGuard no_grad;
    Subject subject(golden, device, torch::kFloat64);
    subject.model->eval();
    const auto x = torch::cat({subject.input(golden, "x"), subject.input(golden, "steps/x").select(0, 0)});
    const auto together = subject.model->forward(x);
    for (std::int64_t i = 0; i < x.size(0); ++i) {
        const auto alone = subject.model->forward(x.narrow(0, i, 1));
        EXPECT_LE(test::relative_deviation(together.narrow(0, i, 1), alone), 1e-12);
    }
}

TEST_P(GoldenContract, IsDeterministicGivenASeed) {
    auto options = golden.options;
    options.drop = 0.2;
    options.drop_path = 0.3;
    const auto run = [&](std::uint64_t seed) {
        torch::manual_seed(seed);
        SimVP model(options);
        model->to(device);
        const auto x = golden.read("x").to(device);
        const auto loss = torch::mse_loss(model->predict(x), golden.read("target").to(device));
        loss.backward();
        return std::pair(loss.item<double>(), model->parameters().front().grad().cpu());
    };
    const auto [first_loss, first_gradient] = run(7);
    const auto [again_loss, again_gradient] = run(7);
    const auto [other_loss, other_gradient] = run(8);
    EXPECT_EQ(first_loss, again_loss);
    if (device.is_cpu()) {  // some CUDA kernels add in changing order
        EXPECT_TRUE(first_gradient.equal(again_gradient));
    }
    EXPECT_NE(first_loss, other_loss);
}

std::string test_name(const testing::TestParamInfo<std::tuple<std::string, std::string>>& info) {
    return std::get<0>(info.param) + "_" + std::get<1>(info.param);
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenContract,
                         testing::Combine(testing::ValuesIn(test::golden_folders()),
                                          testing::ValuesIn(devices())),
                         test_name);

TEST(Registry, HasAGoldenFolderForEveryTranslatorOfTheReference) {
    std::set<std::string> covered;
    for (const auto& folder : test::golden_folders()) covered.insert(Golden(folder).options.translator);
    EXPECT_EQ(covered, test::peer_translators());
}

TEST(Tau, HasTheDifferentialDivergenceOfTheReference) {
    const Golden golden("tau");
    const auto target = golden.read("target");
    const auto y = golden.read("y_train").requires_grad_();
    const auto divergence = differential_divergence(y, target);
    EXPECT_LE(test::relative_deviation(divergence, golden.read("tau/diff_div_reg")), loss_bound);
    const auto total = torch::mse_loss(y, target) + 0.1 * divergence;
    EXPECT_LE(test::relative_deviation(total, golden.read("tau/loss_total_alpha0.1")), loss_bound);
    total.backward();
    EXPECT_LE(test::relative_deviation(y.grad(), golden.read("tau/grad_pred_of_total")), gradient_bound);
    EXPECT_EQ(differential_divergence(y.narrow(1, 0, 2), target.narrow(1, 0, 2)).item<float>(), 0.0f);
}

}  // namespace
}  // namespace stl
