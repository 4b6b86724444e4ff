#include "stl/train/trainer.h"

#include <ATen/Context.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/clock.h"
#include "stl/core/error.h"
#include "stl/core/names.h"
#include "stl/core/version.h"
#include "stl/gpu/plugin.h"
#include "stl/run/normalizer.h"
#include "stl/run/run_folder.h"
#include "stl/run/settings.h"
#include "stl/runtime/autocast.h"
#include "stl/runtime/device.h"
#include "stl/train/batches.h"
#include "stl/train/data_record.h"
#include "stl/train/graph_step.h"
#include "stl/train/loss_log.h"
#include "stl/train/plan.h"
#include "stl/train/resume.h"
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

at::Generator default_generator(torch::Device device) {
    return at::globalContext().defaultGenerator(device);
}

/// Tells a loss that the data spoil from one that diverges.
void require_finite_data(const TrainBatch& batch, double loss, std::int64_t step, const RunFolder& folder) {
    if (torch::isfinite(batch.input).all().item<bool>() && torch::isfinite(batch.target).all().item<bool>())
        return;
    fail("step {}: the loss is {}: the training sequences hold values that are not finite; {}", step,
         shown(loss), what_stays(folder));
}

class Trainer {
  public:
    Trainer(const TrainRequest& request, Reporter& reporter, const StopRequested& stop);
    TrainOutcome run();

  private:
    void build_network();
    void open_folder();
    /// Than those that the run was started with.
    void warn_of_other_data() const;
    void restore_random_numbers(const Checkpoint& checkpoint, const fs::path& path);
    void restore(const Json& resolved);
    /// Of the steps in the log that the checkpoint does not have.
    void warn_of_lost_steps() const;
    void train_until_stopped();
    void make_step(const TrainBatch& batch);
    /// Validates and writes the epoch's line; where `stop` says so in validation, neither.
    void end_epoch(const StopRequested& stop);
    std::optional<Validation> validate_unless(const StopRequested& stop);
    void save(const std::string& which);
    void write_run_file(const std::string& state) const;
    /// What ended training is to be told, whatever comes in between.
    void note_failure() const;
    void report_progress();
    bool stop_asked();
    /// Asked to, or out of time.
    bool must_stop();
    /// Inside an epoch.
    bool must_save() const;
    /// Of the whole run, this call's included.
    double seconds() const { return now_.seconds + seconds_since(started_); }
    Json resolved_experiment() const;
    /// Half the batch, again and again, until a step goes through; 0 if none does.
    std::int64_t fitting_batch();

    const TrainRequest& request_;
    Reporter& reporter_;
    const StopRequested& stop_;
    const Clock::time_point started_ = Clock::now();
    const std::string started_at_ = utc_now();
    Clock::time_point saved_ = started_;  ///< the last checkpoint

    const bool resumes_;  ///< a run that exists
    const Experiment& experiment_;
    torch::Device device_;
    const TrainOptions options_;  ///< as computed; the run's files keep what was asked for
    std::unique_ptr<Dataset> train_data_, validation_data_;
    Json trained_on_;  ///< data_record.h
    SequenceShape shape_;
    Normalization normalization_;
    Normalizer normalizer_;
    SimVP model_{nullptr};
    std::unique_ptr<Optimizer> optimizer_;
    std::unique_ptr<TrainStep> train_step_;
    ScheduleOptions schedule_;
    std::optional<RunFolder> folder_;
    std::unique_ptr<LossLog> losses_;

    Standing now_;  ///< but for epoch_sum, which losses_ counts on, and seconds: of the calls before this one
    bool interrupted_ = false;
    bool last_is_damaged_ = false;  ///< or missing: an earlier checkpoint was taken
    std::optional<MetricValues> validation_;
};

Trainer::Trainer(const TrainRequest& request, Reporter& reporter, const StopRequested& stop)
    : request_(request),
      reporter_(reporter),
      stop_(stop),
      resumes_(request.resume && RunFolder::is_run(request.run)),
      experiment_(request.experiment),
      device_(open_device(request.device, reporter)),
      options_(as_computed(request.experiment.train, device_, reporter)) {
    RunFolder::require_available(request.run, request.resume, request.force);
    if (request.resume && !resumes_)
        reporter.info(fmt::format("{}: no run yet; starting it", request.run.string()));
    set_threads(options_.threads);
    train_data_ = make_dataset(experiment_.dataset, Split::train, options_.seed);
    shape_ = train_data_->shape();
    normalization_ = experiment_.dataset.normalization.value_or(train_data_->normalization());
    normalization_.check_channels(shape_.channels, experiment_.file + ": dataset");
    normalizer_ = Normalizer(normalization_, device_);
    schedule_ = planned_schedule(experiment_, train_data_->size());

    build_network();
    validation_data_ = make_dataset(experiment_.dataset, Split::validation, options_.seed);
    trained_on_ = data_record(*train_data_, validation_data_.get());
}

void Trainer::build_network() {
    try {
        // Nothing is written to the weights yet, so that they take no memory.
        model_ = SimVP(experiment_.model_for(shape_), Weights::unset);
        require_room(experiment_, *model_, shape_, device_);
        torch::manual_seed(options_.seed);
        model_->draw_weights();
        if (!resumes_) load_initial_weights(*model_, experiment_, reporter_);
        model_->to(device_);
        use_fast_operations(*model_, device_);
        optimizer_ = std::make_unique<Optimizer>(model_->parameters(), options_.optimizer);
    } catch (const std::exception& error) {
        if (!is_out_of_memory(error)) throw;
        fail("out of memory on {}: the model and its optimizer do not fit", device_.str());
    }
    if (device_.is_cuda()) at::globalContext().setBenchmarkCuDNN(true);
    set_recompute(*model_, options_.checkpoint_activations);
    train_step_ = make_train_step(model_, *optimizer_, options_, reporter_);
}

Json Trainer::resolved_experiment() const {
    auto dataset = experiment_.dataset.to_json();
    normalization_.add_to(dataset);
    Json resolved{
        {"dataset", dataset}, {"model", model_->options().to_json()}, {"train", experiment_.train_json()}};
    make_paths_absolute(resolved);
    return resolved;
}

void Trainer::open_folder() {
    const auto resolved = resolved_experiment();
    if (resumes_) {
        folder_ = RunFolder::go_on(request_.run);
        warn_of_other_data();
        require_settings(*folder_, resolved);
        restore(resolved);
    } else {
        folder_ = RunFolder::create(request_.run, request_.force);
    }
    // Behind all that may refuse the run, whose line then stands alone.
    warn_about_data(experiment_, *train_data_, validation_data_.get(), reporter_);
    write_json(folder_->experiment_file(), resolved);
    losses_ = std::make_unique<LossLog>(
        *folder_, LossLog::Settings{options_.log_every, options_.batch_size, schedule_.steps_per_epoch});
    losses_->start_at(now_.step, now_.epoch_sum);
}

void Trainer::warn_of_other_data() const {
    const auto line = data_difference(stored_data_record(*folder_), trained_on_);
    if (!line.empty()) reporter_.warn(line);
}

void Trainer::restore_random_numbers(const Checkpoint& checkpoint, const fs::path& path) {
    auto generator = default_generator(device_);
    const auto stored =
        std::ranges::find(checkpoint.extra, "rng", [](const auto& entry) { return entry.first; });
    if (stored == checkpoint.extra.end()) {
        fail("{}: stl_tensors.rng: missing, so the run cannot continue exactly", path.string());
    }
    if (stored->second.numel() == generator.get_state().numel()) {
        generator.set_state(stored->second.clone());
    } else {
        reporter_.warn(path.string() + ": written on another kind of device; random numbers start over");
    }
}

void Trainer::restore(const Json& resolved) {
    const auto found = newest_checkpoint(*folder_, reporter_);
    if (!found) {
        const auto path = folder_->checkpoint("last").string();
        if (!may_start_over(*folder_)) {
            fail(
                "{}: missing, although the run has completed an epoch; use --force to start over, or start a "
                "new run from its best weights with --set train.init={}",
                path, folder_->checkpoint("best").string());
        }
        reporter_.warn(
            path + ": missing; the run was interrupted before its first complete checkpoint and starts over");
        load_initial_weights(*model_, experiment_, reporter_);
        folder_->drop_metrics_after(0);
        return;
    }
    const auto& [path, checkpoint] = *found;
    if (!checkpoint.optimizer) fail("{}: has no training state to continue from", path.string());
    require_own(checkpoint, resolved, path.string());
    load_weights(*model_, checkpoint.state, path.string());
    optimizer_->load(*checkpoint.optimizer, path.string());
    now_ = read_standing(checkpoint, schedule_.total_steps, path.string());
    if (checkpoint.stl.is_object()) {
        restore_random_numbers(checkpoint, path);
    } else {
        reporter_.warn(
            fmt::format("{}: not written by stl; continuing after step {}", path.string(), now_.step));
    }
    last_is_damaged_ = path != folder_->checkpoint("last");
    if (last_is_damaged_) warn_of_lost_steps();
    // A run that was killed after the pending validation may have written its line.
    folder_->drop_metrics_after(now_.step, now_.validation_pending);
}

void Trainer::warn_of_lost_steps() const {
    std::int64_t reached = now_.step;
    for (const auto& line : folder_->read_metrics())
        reached = std::max(reached, line.value("step", line.value("steps", std::int64_t{0})));
    const auto lost = reached - now_.step;
    reporter_.warn(fmt::format("continuing from step {}; {} {} lost and done again", now_.step,
                               counted(lost, "step"), lost == 1 ? "is" : "are"));
}

TrainOutcome Trainer::run() {
    open_folder();
    write_run_file("running");
    if (now_.step < schedule_.total_steps || now_.validation_pending) {
        try {
            train_until_stopped();
        } catch (const std::exception& error) {
            reporter_.progress_end();
            note_failure();
            if (!is_out_of_memory(error)) throw;
            const auto fits = fitting_batch();
            if (fits == 0) fail("out of memory on {}: not even a batch of 1 fits", device_.str());
            fail("out of memory on {} with train.batch_size {}; {} fits", device_.str(), options_.batch_size,
                 fits);
        }
    }
    reporter_.progress_end();
    TrainOutcome outcome{.steps = now_.step,
                         .total_steps = schedule_.total_steps,
                         .seconds = seconds(),
                         .interrupted = interrupted_,
                         .validation_pending = now_.validation_pending,
                         .validation = validation_};
    write_run_file(outcome.finished() ? "finished" : "stopped");
    return outcome;
}

void Trainer::train_until_stopped() {
    if (now_.validation_pending) {
        // Whatever the time limit: a run in short pieces would never get through it.
        end_epoch([this] { return stop_asked(); });
        save("last");
        if (now_.validation_pending) return;
    }
    const auto batches = open_batches(*train_data_, {.batch_size = options_.batch_size,
                                                     .input_frames = model_->options().frames,
                                                     .shuffle = options_.shuffle,
                                                     .seed = options_.seed,
                                                     .first_epoch = now_.step / schedule_.steps_per_epoch,
                                                     .first_batch = now_.step % schedule_.steps_per_epoch,
                                                     .device = device_,
                                                     .kernels = gpu::kernels_for(device_)});
    if (batches->on_device()) reporter_.info("training sequences are made on " + device_.str());
    model_->train();
    std::int64_t saved_at = -1;
    while (now_.step < schedule_.total_steps) {
        make_step(batches->next());
        report_progress();
        const bool last = now_.step == schedule_.total_steps;
        const bool stop_now = !last && must_stop();
        if (now_.step % schedule_.steps_per_epoch == 0 || last) {
            end_epoch([this] { return must_stop(); });
        } else if (!stop_now && !must_save()) {
            continue;
        }
        save("last");
        saved_at = now_.step;
        if (stop_now || now_.validation_pending || must_stop()) break;
    }
    if (saved_at != now_.step) save("last");
}

void Trainer::make_step(const TrainBatch& batch) {
    const auto settings = schedule_value(schedule_, now_.step);
    TrainStep::LossCheck check;
    if (device_.is_cpu()) {
        check = [this, &batch](const torch::Tensor& loss) {
            const auto value = loss.item<double>();
            if (!std::isfinite(value)) require_finite_data(batch, value, now_.step + 1, *folder_);
            require_finite_loss(value, now_.step + 1, *folder_);
        };
    }
    const auto loss = (*train_step_)(normalized(batch, normalizer_), settings, check);
    ++now_.step;
    losses_->add(now_.step, settings.lr, loss);
}

bool Trainer::stop_asked() {
    if (stop_ && stop_()) interrupted_ = true;
    return interrupted_;
}

bool Trainer::must_stop() {
    return stop_asked() || (request_.max_minutes > 0 && seconds_since(started_) > 60 * request_.max_minutes);
}

bool Trainer::must_save() const {
    if (options_.save_every > 0 && now_.step % options_.save_every == 0) return true;
    return options_.save_minutes > 0 && seconds_since(saved_) > 60 * options_.save_minutes;
}

std::optional<Validation> Trainer::validate_unless(const StopRequested& stop) {
    reporter_.progress({now_.step, schedule_.total_steps, "validation", ""});
    try {
        return validate(model_, *validation_data_, options_.batch_size, device_, normalizer_, stop);
    } catch (const Interrupted&) {
        return std::nullopt;
    }
}

void Trainer::end_epoch(const StopRequested& stop) {
    now_.validation_pending = false;
    losses_->flush();
    const auto steps_of_epoch = (now_.step - 1) % schedule_.steps_per_epoch + 1;
    Json line = {{"train_loss", losses_->epoch_sum() / static_cast<double>(steps_of_epoch)}};
    if (validation_data_ != nullptr) {
        const auto result = validate_unless(stop);
        now_.validation_pending = !result;
        if (!result) return;
        validation_ = result->metrics;
        line["val_loss"] = result->loss;
        line.update(result->metrics.to_json({}));
        line.erase("per_frame");
        if (!std::isfinite(result->loss)) {
            reporter_.warn(
                fmt::format("step {}: the validation loss is {}, so these weights are not kept as the best",
                            now_.step, shown(result->loss)));
        }
        if (result->loss < now_.best_loss) {
            now_.best_loss = result->loss;
            save("best");
        }
    }
    line["seconds"] = seconds();
    losses_->end_epoch(line);
    reporter_.progress_end();
    const auto epoch = (now_.step - 1) / schedule_.steps_per_epoch + 1;
    auto text = fmt::format("epoch {}/{}: train loss {:.5f}", epoch, schedule_.epochs,
                            shown(line["train_loss"].get<double>()));
    if (validation_) {
        text += fmt::format(", validation loss {:.5f}", shown(line["val_loss"].get<double>()));
        for (const auto& v : validation_->values)
            text += fmt::format(", {} {:.{}f}", v.metric.title, shown(v.overall), v.metric.digits);
    }
    reporter_.info(text);
}

void Trainer::save(const std::string& which) {
    losses_->flush();
    const torch::NoGradGuard no_grad;
    Checkpoint checkpoint;
    checkpoint.state = state_of(*model_);
    for (const auto& [name, tensor] : checkpoint.state) {
        if (torch::isfinite(tensor).all().item<bool>()) continue;
        fail("step {}: {} is not finite; {}", now_.step, name, what_stays(*folder_));
    }
    checkpoint.epoch = now_.step / schedule_.steps_per_epoch;
    checkpoint.stl = {{"version", version()},
                      {"revision", revision()},
                      {"model", model_->options().to_json()},
                      {"experiment", resolved_experiment()},
                      {"total_steps", schedule_.total_steps}};
    if (const auto fps = train_data_->fps(); fps > 0) checkpoint.stl["fps"] = fps;
    if (const auto range = train_data_->range()) checkpoint.stl["range"] = range->to_json();
    auto standing = now_;
    standing.epoch_sum = losses_->epoch_sum();
    standing.seconds = seconds();
    standing.add_to(checkpoint.stl);
    if (which == "best") {
        write_checkpoint(folder_->checkpoint(which), checkpoint);
        return;
    }
    checkpoint.optimizer = optimizer_->state();
    checkpoint.scheduler = torch_scheduler_state(schedule_, now_.step, checkpoint.optimizer->group);
    checkpoint.extra.emplace_back("rng", default_generator(device_).get_state());
    // What is damaged does not take the place of an earlier one that is whole.
    const auto keep = std::exchange(last_is_damaged_, false) ? 1 : options_.keep;
    folder_->replace_last(keep, [&] { write_checkpoint(folder_->checkpoint("last"), checkpoint); });
    saved_ = Clock::now();
}

void Trainer::report_progress() {
    const auto in_epoch = (now_.step - 1) % schedule_.steps_per_epoch + 1;
    const auto epoch = (now_.step - 1) / schedule_.steps_per_epoch + 1;
    const auto settings = schedule_value(schedule_, now_.step - 1);
    reporter_.progress({now_.step, schedule_.total_steps, "training",
                        fmt::format("epoch {}/{} step {}/{}  loss {:.5f}  lr {:.2e}  {:.1f} seq/s", epoch,
                                    schedule_.epochs, in_epoch, schedule_.steps_per_epoch, losses_->last(),
                                    settings.lr, losses_->sequences_per_second())});
}

void Trainer::write_run_file(const std::string& state) const {
    write_json(folder_->run_file(), {{"state", state},
                                     {"command", request_.command},
                                     {"version", version()},
                                     {"revision", revision()},
                                     {"libtorch", TORCH_VERSION},
                                     {"device", device_.str()},
                                     {"precision", name_of(options_.precision)},
                                     {"threads", at::get_num_threads()},
                                     {"seed", options_.seed},
                                     {"data", train_data_->describe()},
                                     {"trained_on", trained_on_},
                                     {"parameters", model_->parameter_count()},
                                     {"started", started_at_},
                                     {"written", utc_now()},
                                     {"steps", now_.step},
                                     {"total_steps", schedule_.total_steps},
                                     {"seconds", seconds()}});
}

void Trainer::note_failure() const {
    try {
        write_run_file("failed");
    } catch (const Error& error) {
        reporter_.warn(error.what());
    }
}

std::int64_t Trainer::fitting_batch() {
    train_step_.reset();  // and with it the memory of its graph
    return stl::fitting_batch(options_.batch_size, [&](std::int64_t size) {
        const Autocast autocast(device_.type(), product_type(options_.precision));
        optimizer_->zero_grad();
        const auto x = torch::zeros(
            {size, model_->options().frames, shape_.channels, shape_.height, shape_.width}, device_);
        model_->predict(x, shape_.frames - model_->options().frames).mean().backward();
    });
}

}  // namespace

TrainOutcome train(const TrainRequest& request, Reporter& reporter, const StopRequested& stop) {
    try {
        return Trainer(request, reporter, stop).run();
    } catch (const Interrupted&) {
        throw;
    } catch (const Error& error) {
        throw Error(request.experiment.at_origin(error.what()));
    }
}

}  // namespace stl
