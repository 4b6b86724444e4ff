#include "stl/train/trainer.h"

#include <ATen/Context.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/cpu/isa.h"
#include "stl/distributed/sync_batch_norm.h"
#include "stl/gpu/plugin.h"
#include "stl/run/normalizer.h"
#include "stl/run/run_folder.h"
#include "stl/run/settings.h"
#include "stl/runtime/autocast.h"
#include "stl/runtime/device.h"
#include "stl/train/anomaly.h"
#include "stl/train/batches.h"
#include "stl/train/data_record.h"
#include "stl/train/graph_step.h"
#include "stl/train/loss_log.h"
#include "stl/train/plan.h"
#include "stl/train/repeat.h"
#include "stl/train/resume.h"
#include "stl/train/run_state.h"
#include "stl/train/share_state.h"
#include "stl/train/step.h"
#include "stl/train/validate.h"

namespace stl {
namespace {

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

bool is_finite(const TrainBatch& batch) {
    return torch::isfinite(batch.input).all().item<bool>() &&
           torch::isfinite(batch.target).all().item<bool>();
}

/// Tells a loss that the data spoil from one that diverges.
void require_finite_data(bool finite, double loss, std::int64_t step, const RunFolder* folder) {
    if (finite) return;
    fail("step {}: the loss is {}, because the training sequences contain values that are not finite; {}",
         step, shown(loss), what_stays(folder));
}

class Trainer {
  public:
    Trainer(const TrainRequest& request, Reporter& reporter, const StopRequested& stop);
    TrainOutcome run();

  private:
    void get_ready();
    void set_up();
    void build_network();
    void open_run();
    void open_folder();
    /// Error where the ranks would not train the same.
    void require_same_ranks();
    /// What rank 0 throws, where it does, on all ranks.
    void in_common(const std::function<void()>& work);
    /// Of all ranks.
    torch::Tensor mean_loss(const torch::Tensor& loss) const;
    bool on_any_rank(bool here) const { return group_ != nullptr ? group_->any(here) : here; }
    bool leads() const { return group_ == nullptr || group_->leads(); }
    /// Null on the ranks that do not write.
    const RunFolder* written() const { return folder_ ? &*folder_ : nullptr; }
    void note(const std::string& what, bool slow = false) const {
        if (group_ != nullptr) group_->note(what, slow);
    }
    /// "step 12 of 100", for note().
    std::string step_text() const;
    Json ranks_record() const;
    /// Than those that the run was started with.
    void warn_of_other_data() const;
    void train_until_stopped();
    void make_step(const TrainBatch& batch);
    /// Validates and writes the epoch's line; where `stop` says so in validation, neither.
    void end_epoch(const StopRequested& stop);
    std::optional<Validation> validate_unless(const StopRequested& stop);
    void save_last();
    Json run_record(const std::string& state) const;
    void write_run_file(const std::string& state) const;
    /// As train.patience has it.
    bool out_of_patience() const;
    /// What ended training is to be told, whatever comes in between.
    void note_failure();
    void report_progress();
    bool stop_asked();
    /// Asked to, or out of time.
    bool must_stop();
    /// Inside an epoch.
    bool must_save() const;
    Json resolved_experiment(const Normalization& normalization) const;
    WeightAverage* average_of_weights() { return state_.average ? &*state_.average : nullptr; }
    /// Half the batch, again and again, until a step goes through; 0 if none does.
    std::int64_t fitting_batch();

    const TrainRequest& request_;
    Reporter& reporter_;
    const StopRequested& stop_;
    Group* const group_;  ///< null: this process alone
    const std::string started_at_ = utc_now();
    std::optional<RunFolder> folder_;  ///< of rank 0
    RunState state_;

    const bool resumes_;          ///< a run that exists
    const TrainOptions options_;  ///< as computed; the run's files keep what was asked for
    std::unique_ptr<Dataset> train_data_, validation_data_;
    Json trained_on_;  ///< data_record.h
    Normalizer normalizer_;
    StepParts parts_;
    std::optional<AnomalyWatch> watch_;
    std::unique_ptr<GradientAverage> average_;
    std::unique_ptr<TrainStep> train_step_;
    std::unique_ptr<LossLog> losses_;

    bool interrupted_ = false;
    std::optional<MetricValues> validation_;
};

Trainer::Trainer(const TrainRequest& request, Reporter& reporter, const StopRequested& stop)
    : request_(request),
      reporter_(reporter),
      stop_(stop),
      group_(request.group),
      state_{.device = open_device(request.device, reporter)},
      resumes_(request.resume && RunFolder::is_run(request.run)),
      options_(as_computed(request.experiment.train, state_.device, reporter)) {}

void Trainer::get_ready() {
    if (group_ == nullptr) return set_up();
    note("getting ready", /*slow=*/true);
    group_->together([this] { set_up(); });
    require_same_ranks();
}

void Trainer::set_up() {
    if (leads()) RunFolder::require_available(request_.run, request_.resume, request_.force);
    if (request_.resume && !resumes_)
        reporter_.info(fmt::format("{}: no run yet; starting it", request_.run.string()));
    if (group_ != nullptr && !state_.device.is_cpu())
        fail("{}: several ranks train on CPUs only, so far; give --device cpu", state_.device.str());
    set_threads(options_.threads);
    const auto& experiment = request_.experiment;
    parts_ = step_parts(experiment, size_of(group_));
    train_data_ = make_dataset(experiment.dataset, Split::train, options_.seed);
    const auto normalization = experiment.dataset.normalization.value_or(train_data_->normalization());
    normalization.check_channels(train_data_->shape().channels, experiment.file + ": dataset");
    normalizer_ = Normalizer(normalization, state_.device);
    state_.schedule = planned_schedule(experiment, train_data_->size(), parts_.batch);

    build_network();
    validation_data_ = make_dataset(experiment.dataset, Split::validation, options_.seed);
    if (options_.patience && validation_data_ == nullptr)
        fail("{}: train.patience: the data mark no sequences for validation", experiment.file);
    trained_on_ = data_record(*train_data_, validation_data_.get());
    state_.record = {{"version", version()},
                     {"revision", revision()},
                     {"model", state_.model->options().to_json()},
                     {"experiment", resolved_experiment(normalization)},
                     {"total_steps", state_.schedule.total_steps},
                     {"step_batch", parts_.batch}};
    if (const auto fps = train_data_->fps(); fps > 0) state_.record["fps"] = fps;
    if (const auto range = train_data_->range()) state_.record["range"] = range->to_json();
}

void Trainer::build_network() {
    const auto& experiment = request_.experiment;
    const auto shape = train_data_->shape();
    auto& model = state_.model;
    try {
        // Nothing is written to the weights yet, so that they take no memory.
        model = SimVP(experiment.model_for(shape), Weights::unset);
        require_room(experiment, *model, shape, parts_, state_.device);
        torch::manual_seed(options_.seed);
        model->draw_weights();
        if (!resumes_ && leads()) load_initial_weights(*model, experiment, reporter_);
        model->to(state_.device);
        use_fast_operations(*model, state_.device);
        state_.optimizer = std::make_unique<Optimizer>(model->parameters(), options_.optimizer);
    } catch (const std::exception& error) {
        if (!is_out_of_memory(error)) throw;
        fail("out of memory on {}: the model and its optimizer do not fit", state_.device.str());
    }
    if (state_.device.is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
    set_recompute(*model, options_.checkpoint_activations);
    if (options_.ema) state_.average.emplace(model, *options_.ema);
    const bool synchronized = group_ != nullptr && options_.sync_batchnorm.value_or(false);
    const auto operations =
        synchronized ? with_sync_batch_norm(*group_, /*fast=*/true) : ops::fast_operations(state_.device);
    if (synchronized) set_operations(*model, operations);
    if (request_.detect_anomaly) watch_.emplace(model, operations);
    if (group_ != nullptr || request_.detect_anomaly) {
        // The ranks' averaging is made where their weights are known to be the same: open_run().
        train_step_ = make_plain_step(model, *state_.optimizer, options_, average_of_weights());
    } else {
        train_step_ = make_train_step(model, *state_.optimizer, options_, reporter_, average_of_weights());
    }
}

Json Trainer::resolved_experiment(const Normalization& normalization) const {
    auto dataset = request_.experiment.dataset.to_json();
    normalization.add_to(dataset);
    Json resolved{{"dataset", dataset},
                  {"model", state_.model->options().to_json()},
                  {"train", write_options(request_.experiment.train)}};
    make_paths_absolute(resolved);
    return resolved;
}

void Trainer::require_same_ranks() {
    group_->require_same("programs", fmt::format("{} {}, LibTorch {}", version(), revision(), TORCH_VERSION));
    auto experiment = request_.experiment.dataset.to_json();
    group_->require_same("data sets", to_line(experiment));
    group_->require_same("experiments", to_line(Json{{"model", state_.record["experiment"]["model"]},
                                                     {"train", state_.record["experiment"]["train"]}}));
    auto data = trained_on_;
    for (auto& file : data["files"]) file.erase("path");
    group_->require_same("data files", to_line(data));
}

void Trainer::in_common(const std::function<void()>& work) {
    if (group_ == nullptr) return work();
    std::string problem;
    if (leads()) {
        try {
            work();
        } catch (const std::exception& error) {
            problem = error.what();
        }
    }
    problem = group_->broadcast(problem);
    if (!problem.empty()) group_->together([&] { throw Error(problem); });
}

void Trainer::open_run() {
    const auto notes = request_.run / ".ranks";
    in_common([&] {
        open_folder();
        if (group_ != nullptr) fs::create_directories(notes);
    });
    if (group_ != nullptr) {
        group_->keep_notes(notes);
        share_state(state_, *group_, options_.seed, reporter_);
        average_ = std::make_unique<GradientAverage>(*group_, state_.model->parameters());
        train_step_ =
            make_plain_step(state_.model, *state_.optimizer, options_, average_of_weights(), average_.get());
    } else {
        forget_other_ranks(state_, reporter_);
    }
    losses_ = std::make_unique<LossLog>(
        written(), LossLog::Settings{options_.log_every, parts_.batch, state_.schedule.steps_per_epoch});
    losses_->start_at(state_.now.step, state_.now.epoch_sum);
}

std::string Trainer::step_text() const {
    return fmt::format("step {} of {}", state_.now.step + 1, state_.schedule.total_steps);
}

torch::Tensor Trainer::mean_loss(const torch::Tensor& loss) const {
    if (group_ == nullptr) return loss;
    const auto all = loss.detach().to(torch::kFloat64).clone();
    group_->sum(all);
    return all / group_->size();
}

void Trainer::open_folder() {
    const auto& resolved = state_.record["experiment"];
    if (resumes_) {
        folder_ = RunFolder::go_on(request_.run);
        warn_of_other_data();
        require_settings(*folder_, resolved);
        if (!state_.restore(*folder_, reporter_)) {
            load_initial_weights(*state_.model, request_.experiment, reporter_);
            if (state_.average) state_.average->restart();
        }
    } else {
        folder_ = RunFolder::create(request_.run, request_.force);
    }
    // Behind all that may refuse the run, whose line then stands alone.
    if (!request_.repeats.empty()) {
        const auto before = RunFolder::open(request_.repeats).run_record().value_or(Json());
        for (const auto& line : run_differences(before, run_record("running"))) reporter_.warn(line);
    }
    warn_about_data(request_.experiment, *train_data_, validation_data_.get(), reporter_);
    write_json(folder_->experiment_file(), resolved);
    tell_plan(request_.experiment, *train_data_, validation_data_.get(), *state_.model, state_.schedule,
              options_, parts_, state_.device, reporter_);
}

void Trainer::warn_of_other_data() const {
    const auto line = data_difference(stored_data_record(*folder_), trained_on_);
    if (!line.empty()) reporter_.warn(line);
}

TrainOutcome Trainer::run() {
    get_ready();
    open_run();
    write_run_file("running");
    if (!out_of_patience() &&
        (state_.now.step < state_.schedule.total_steps || state_.now.validation_pending)) {
        try {
            train_until_stopped();
            state_.wait_for_checkpoints();
        } catch (const std::exception& error) {
            reporter_.progress_end();
            note_failure();
            if (!is_out_of_memory(error)) throw;
            const auto fits = fitting_batch();
            if (fits == 0) fail("out of memory on {}: not even a batch of 1 fits", state_.device.str());
            const auto parts = (parts_.per_device() + fits - 1) / fits;
            fail(
                "out of memory on {} with {} {}; {} fits (train.accumulate={} computes the same batch in "
                "such parts)",
                state_.device.str(),
                options_.batch_per_device ? "train.batch_per_device" : "train.batch_size",
                options_.batch_per_device ? parts_.per_device() : parts_.batch, fits, parts);
        }
    }
    reporter_.progress_end();
    TrainOutcome outcome{.steps = state_.now.step,
                         .total_steps = state_.schedule.total_steps,
                         .seconds = state_.seconds(),
                         .interrupted = interrupted_,
                         .out_of_patience = out_of_patience(),
                         .validation_pending = state_.now.validation_pending,
                         .validation = validation_};
    write_run_file(outcome.finished() ? "finished" : "stopped");
    return outcome;
}

void Trainer::train_until_stopped() {
    if (state_.now.validation_pending) {
        // Whatever the time limit: a run in short pieces would never get through it.
        end_epoch([this] { return stop_asked(); });
        save_last();
        if (state_.now.validation_pending || out_of_patience()) return;
    }
    const auto batches =
        open_batches(*train_data_, {.batch_size = parts_.batch,
                                    .part = rank_in(group_),
                                    .parts = parts_.devices,
                                    .input_frames = state_.model->options().frames,
                                    .shuffle = options_.shuffle,
                                    .seed = options_.seed,
                                    .first_epoch = state_.now.step / state_.schedule.steps_per_epoch,
                                    .first_batch = state_.now.step % state_.schedule.steps_per_epoch,
                                    .device = state_.device,
                                    .kernels = gpu::kernels_for(state_.device)});
    if (batches->on_device()) reporter_.info("training sequences are generated on " + state_.device.str());
    state_.model->train();
    std::int64_t saved_at = -1;
    TimeToTheEnd time_to_the_end(state_.schedule.total_steps);
    BusyMachine busy_machine;
    while (state_.now.step < state_.schedule.total_steps) {
        make_step(batches->next());
        time_to_the_end.note(state_.now.step, state_.device, reporter_);
        busy_machine.note(state_.device, reporter_);
        report_progress();
        const bool last = state_.now.step == state_.schedule.total_steps;
        const bool stop_now = !last && must_stop();
        if (state_.now.step % state_.schedule.steps_per_epoch == 0 || last) {
            end_epoch([this] { return must_stop(); });
        } else if (!stop_now && !must_save()) {
            continue;
        }
        save_last();
        saved_at = state_.now.step;
        if (stop_now || state_.now.validation_pending || out_of_patience() || must_stop()) break;
    }
    if (saved_at != state_.now.step) save_last();
}

void Trainer::make_step(const TrainBatch& batch) {
    const auto settings = schedule_value(state_.schedule, state_.now.step);
    if (group_ != nullptr) note(step_text());
    torch::Tensor loss;  // of all ranks
    TrainStep::LossCheck check;
    if (state_.device.is_cpu()) {
        check = [this, &batch, &loss](const torch::Tensor& own) {
            loss = mean_loss(own);
            const auto value = loss.item<double>();
            if (std::isfinite(value)) return;
            const bool finite = !on_any_rank(!is_finite(batch));
            in_common([&] {
                state_.wait_for_checkpoints();  // the message names them
                require_finite_data(finite, value, state_.now.step + 1, written());
                require_finite_loss(value, state_.now.step + 1, written());
            });
        };
    }
    if (watch_ && is_finite(batch)) watch_->begin(state_.now.step + 1, what_stays(written()));
    const auto own = (*train_step_)(normalized(batch, normalizer_), settings, check);
    if (!loss.defined()) loss = own;
    ++state_.now.step;
    losses_->add(state_.now.step, settings.lr, loss);
}

bool Trainer::stop_asked() {
    if (on_any_rank(stop_ && stop_())) interrupted_ = true;
    return interrupted_;
}

bool Trainer::must_stop() {
    const bool asked = stop_asked();
    return request_.max_minutes > 0
               ? on_any_rank(asked || seconds_since(state_.started) > 60 * request_.max_minutes)
               : asked;
}

bool Trainer::must_save() const {
    if (options_.save_every > 0 && state_.now.step % options_.save_every == 0) return true;
    return options_.save_minutes > 0 &&
           on_any_rank(leads() && seconds_since(state_.saved) > 60 * options_.save_minutes);
}

std::optional<Validation> Trainer::validate_unless(const StopRequested& stop) {
    reporter_.progress({state_.now.step, state_.schedule.total_steps, "validation", ""});
    try {
        // As large as training's, which fit.
        return validate(state_.model, *validation_data_, parts_.parts > 1 ? parts_.at_once() : parts_.batch,
                        state_.device, normalizer_, stop, group_);
    } catch (const Interrupted&) {
        return std::nullopt;
    }
}

void Trainer::end_epoch(const StopRequested& stop) {
    state_.now.validation_pending = false;
    losses_->flush();
    if (group_ != nullptr) group_->require_same("the weights", state_.model->parameters());
    const auto steps_of_epoch = (state_.now.step - 1) % state_.schedule.steps_per_epoch + 1;
    Json line = {{"train_loss", losses_->epoch_sum() / static_cast<double>(steps_of_epoch)}};
    if (validation_data_ != nullptr) {
        std::optional<WeightAverage::InModel> averaged;
        if (state_.average) averaged.emplace(*state_.average);
        if (group_ != nullptr) group_->broadcast(state_.model->buffers());
        const auto result = validate_unless(stop);
        state_.now.validation_pending = !result;
        if (!result) return;
        validation_ = result->metrics;
        line["val_loss"] = result->loss;
        line.update(result->metrics.to_json({}));
        line.erase("per_frame");
        if (!std::isfinite(result->loss)) {
            reporter_.warn(
                fmt::format("step {}: the validation loss is {}, so these weights are not saved as the best",
                            state_.now.step, shown(result->loss)));
        }
        ++state_.now.since_best;
        if (result->loss < state_.now.best_loss) {
            state_.now.since_best = 0;
            state_.now.best_loss = result->loss;
            state_.now.epoch_sum = losses_->epoch_sum();
            note("the checkpoint of " + step_text(), /*slow=*/true);
            if (folder_) state_.save_best(*folder_);
        }
    }
    line["seconds"] = state_.seconds();
    losses_->end_epoch(line);
    reporter_.progress_end();
    const auto epoch = (state_.now.step - 1) / state_.schedule.steps_per_epoch + 1;
    auto text = fmt::format("epoch {}/{}: train loss {:.5f}", epoch, state_.schedule.epochs,
                            shown(line["train_loss"].get<double>()));
    if (validation_) {
        text += fmt::format(", validation loss {:.5f}", shown(line["val_loss"].get<double>()));
        for (const auto& v : validation_->values) {
            // Not a number where the metric needs a range that the data do not have.
            if (!std::isnan(v.overall))
                text += fmt::format(", {} {:.{}f}", v.metric.title, v.overall, v.metric.digits);
        }
    }
    reporter_.info(text);
    if (out_of_patience()) {
        reporter_.info(fmt::format("no smaller validation loss in {} (train.patience): training ends here",
                                   counted(state_.now.since_best, "validation")));
    }
}

bool Trainer::out_of_patience() const {
    return options_.patience && state_.now.since_best >= *options_.patience && !state_.now.validation_pending;
}

void Trainer::save_last() {
    losses_->flush();
    state_.now.epoch_sum = losses_->epoch_sum();
    note("the checkpoint of " + step_text(), /*slow=*/true);
    if (group_ != nullptr) gather_random(state_, *group_);
    if (folder_) state_.save_last(*folder_, options_.keep);
}

void Trainer::report_progress() {
    const auto in_epoch = (state_.now.step - 1) % state_.schedule.steps_per_epoch + 1;
    const auto epoch = (state_.now.step - 1) / state_.schedule.steps_per_epoch + 1;
    const auto settings = schedule_value(state_.schedule, state_.now.step - 1);
    reporter_.progress({state_.now.step, state_.schedule.total_steps, "training",
                        fmt::format("epoch {}/{} step {}/{}  loss {:.5f}  lr {:.2e}  {:.1f} seq/s", epoch,
                                    state_.schedule.epochs, in_epoch, state_.schedule.steps_per_epoch,
                                    losses_->last(), settings.lr, losses_->sequences_per_second())});
}

Json Trainer::ranks_record() const {
    if (group_ == nullptr) return {{"size", 1}, {"batch_per_rank", parts_.batch}};
    return {{"size", group_->size()},
            {"batch_per_rank", parts_.per_device()},
            {"launcher", group_->world().launcher},
            {"transport", "mpi"},
            {"hosts", group_->hosts()},
            {"sync_batchnorm", options_.sync_batchnorm.value_or(false)}};
}

Json Trainer::run_record(const std::string& state) const {
    return {{"state", state},
            {"command", request_.command},
            {"version", version()},
            {"revision", revision()},
            {"libtorch", TORCH_VERSION},
            {"processor", cpu::processor_name()},
            {"device", state_.device.str()},
            {"precision", name_of(options_.precision)},
            {"threads", at::get_num_threads()},
            {"ranks", ranks_record()},
            {"step_batch", parts_.batch},
            {"seed", options_.seed},
            {"data", train_data_->describe()},
            {"trained_on", trained_on_},
            {"parameters", state_.model->parameter_count()},
            {"started", started_at_},
            {"written", utc_now()},
            {"steps", state_.now.step},
            {"total_steps", state_.schedule.total_steps},
            {"out_of_patience", out_of_patience()},
            {"seconds", state_.seconds()}};
}

void Trainer::write_run_file(const std::string& state) const {
    if (folder_) write_json(folder_->run_file(), run_record(state));
}

void Trainer::note_failure() {
    const auto attempt = [this](auto&& action) {
        try {
            action();
        } catch (const std::exception& error) {
            reporter_.warn(error.what());
        }
    };
    attempt([this] { state_.wait_for_checkpoints(); });
    attempt([this] { write_run_file("failed"); });
}

std::int64_t Trainer::fitting_batch() {
    train_step_.reset();  // and with it the memory of its graph
    const auto shape = train_data_->shape();
    const auto frames = state_.model->options().frames;
    average_.reset();
    // Those that take part in the other ranks' would wait for them.
    if (group_ != nullptr) set_operations(*state_.model, ops::fast_operations(state_.device));
    return stl::fitting_batch(parts_.at_once(), [&](std::int64_t size) {
        const Autocast autocast(state_.device.type(), product_type(options_.precision));
        state_.optimizer->zero_grad();
        const auto x = torch::zeros({size, frames, shape.channels, shape.height, shape.width}, state_.device);
        state_.model->predict(x, shape.frames - frames).mean().backward();
    });
}

}  // namespace

TrainOutcome train(const TrainRequest& request, Reporter& reporter, const StopRequested& stop) {
    try {
        // Not on the stack, where GCC 12 takes the members of one that was not made for uninitialised.
        return std::make_unique<Trainer>(request, reporter, stop)->run();
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& error) {
        throw Error(request.experiment.at_origin(error.what()));
    }
}

}  // namespace stl
