// c10d's operations over MPI: each is a task of one thread, the only one that calls MPI, and runs there as MPI's
// operation that does not block, so that its progress can be watched.

#include <mpi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>

#include "stl/distributed/transport.h"

namespace stl::distributed {
namespace {

using c10d::ReduceOp;
using torch::Tensor;
using Tensors = std::vector<Tensor>;

void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    std::string text(MPI_MAX_ERROR_STRING, '\0');
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    text.resize(static_cast<std::size_t>(length));
    throw std::runtime_error(std::string("MPI: ") + call + ": " + text);
}

MPI_Datatype type_of(const Tensor& tensor) {
    switch (tensor.scalar_type()) {
        case torch::kFloat32:
            return MPI_FLOAT;
        case torch::kFloat64:
            return MPI_DOUBLE;
        case torch::kInt8:
            return MPI_INT8_T;
        case torch::kUInt8:
            return MPI_UINT8_T;
        case torch::kBool:
            return MPI_C_BOOL;
        case torch::kInt16:
            return MPI_INT16_T;
        case torch::kInt32:
            return MPI_INT32_T;
        case torch::kInt64:
            return MPI_INT64_T;
        default:
            throw std::runtime_error(std::string("MPI: has no values of type ") +
                                     c10::toString(tensor.scalar_type()));
    }
}

MPI_Op operation_of(const ReduceOp& operation) {
    switch (operation.op_) {
        case ReduceOp::SUM:
            return MPI_SUM;
        case ReduceOp::PRODUCT:
            return MPI_PROD;
        case ReduceOp::MIN:
            return MPI_MIN;
        case ReduceOp::MAX:
            return MPI_MAX;
        default:
            throw std::runtime_error(
                "MPI: has no such reduction (sum, product, minimum and maximum are there)");
    }
}

int count_of(const Tensor& tensor) {
    if (!tensor.is_cpu()) throw std::runtime_error("MPI: a tensor on " + tensor.device().str());
    if (!tensor.is_contiguous()) throw std::runtime_error("MPI: a tensor that is not contiguous");
    if (tensor.numel() > std::numeric_limits<int>::max())
        throw std::runtime_error("MPI: a tensor of more than 2^31 - 1 values");
    return static_cast<int>(tensor.numel());
}

/// An operation that was called: done when MPI has done it.
class MpiWork : public c10d::Work {
  public:
    MpiWork(c10d::OpType type, Tensors outputs)
        : Work(-1, type),
          outputs_(std::move(outputs)),
          future_(c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()))) {}

    Tensors result() override { return outputs_; }
    c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }

    void end(const std::exception_ptr& error) {
        // The future's callbacks may wait for this work.
        finish(error);
        if (error) {
            future_->setError(error);
        } else {
            future_->markCompleted(c10::IValue(outputs_));
        }
    }

  private:
    Tensors outputs_;
    c10::intrusive_ptr<c10::ivalue::Future> future_;
};

class MpiThread {
  public:
    explicit MpiThread(TransportOptions options) : options_(std::move(options)) {
        thread_ = std::thread([this] { run(); });
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return started_; });
        if (!problem_.empty()) {
            lock.unlock();
            thread_.join();
            throw std::runtime_error(problem_);
        }
    }
    ~MpiThread() { shutdown(); }
    MpiThread(const MpiThread&) = delete;
    MpiThread& operator=(const MpiThread&) = delete;

    int rank() const { return rank_; }
    int size() const { return size_; }

    /// start: begins MPI's operation, which works on `outputs` and on what it holds itself.
    c10::intrusive_ptr<c10d::Work> add(c10d::OpType type, Tensors outputs,
                                       std::function<void(MPI_Request*)> start) {
        auto work = c10::make_intrusive<MpiWork>(type, std::move(outputs));
        {
            const std::lock_guard lock(mutex_);
            if (closing_) throw std::runtime_error("MPI: the group has been shut down");
            tasks_.push_back({work, std::move(start)});
        }
        changed_.notify_all();
        return work;
    }

    void shutdown() {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

    /// Does not return.
    void abort() {
        aborting_ = true;
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }

  private:
    struct Task {
        c10::intrusive_ptr<MpiWork> work;
        std::function<void(MPI_Request*)> start;
    };

    void run() {
        {
            const std::lock_guard lock(mutex_);
            try {
                int provided = 0;
                check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init");
                MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
                check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
                check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
            } catch (const std::exception& error) {
                problem_ = error.what();
            }
            started_ = true;
        }
        changed_.notify_all();
        if (!problem_.empty()) return;
        for (;;) {
            Task task;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [this] { return aborting_ || closing_ || !tasks_.empty(); });
                if (aborting_) MPI_Abort(MPI_COMM_WORLD, 1);
                if (tasks_.empty()) break;
                task = std::move(tasks_.front());
                tasks_.pop_front();
            }
            std::exception_ptr error;
            try {
                MPI_Request request = MPI_REQUEST_NULL;
                task.start(&request);
                finish(&request);
            } catch (...) {
                error = std::current_exception();
            }
            task.start = nullptr;  // with what it holds
            task.work->end(error);
        }
        MPI_Finalize();
    }

    /// Waits busily at first, for the answers of a step, then with rests, which leave the cores to others.
    void finish(MPI_Request* request) {
        using std::chrono::steady_clock;
        constexpr auto busy = std::chrono::microseconds(200);
        constexpr auto rest = std::chrono::microseconds(50);
        constexpr auto told_every = std::chrono::seconds(1);
        const auto begin = steady_clock::now();
        auto told = begin;
        for (;;) {
            int done = 0;
            check(MPI_Test(request, &done, MPI_STATUS_IGNORE), "an operation of the group");
            if (done != 0) return;
            if (aborting_) MPI_Abort(MPI_COMM_WORLD, 1);
            const auto now = steady_clock::now();
            if (now - begin < busy) {
                std::this_thread::yield();
                continue;
            }
            std::this_thread::sleep_for(rest);
            if (now - told < told_every) continue;
            told = now;
            if (options_.waiting) options_.waiting(std::chrono::duration<double>(now - begin).count());
        }
    }

    TransportOptions options_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> tasks_;
    bool started_ = false, closing_ = false;
    std::atomic<bool> aborting_ = false;
    std::string problem_;
    int rank_ = 0, size_ = 1;
    std::thread thread_;
};

class MpiBackend : public c10d::Backend {
  public:
    explicit MpiBackend(std::unique_ptr<MpiThread> thread)
        : Backend(thread->rank(), thread->size()), thread_(std::move(thread)) {}

    const std::string getBackendName() const override { return "mpi"; }

    c10::intrusive_ptr<c10d::Work> allreduce(Tensors& tensors,
                                             const c10d::AllreduceOptions& options) override {
        const auto tensor = only(tensors);
        const auto operation = operation_of(options.reduceOp);
        const auto type = type_of(tensor);
        const auto count = count_of(tensor);
        return thread_->add(c10d::OpType::ALLREDUCE, tensors, [=](MPI_Request* request) {
            check(MPI_Iallreduce(MPI_IN_PLACE, tensor.mutable_data_ptr(), count, type, operation,
                                 MPI_COMM_WORLD, request),
                  "MPI_Iallreduce");
        });
    }

    c10::intrusive_ptr<c10d::Work> broadcast(Tensors& tensors,
                                             const c10d::BroadcastOptions& options) override {
        const auto tensor = only(tensors);
        const auto type = type_of(tensor);
        const auto count = count_of(tensor);
        const auto root = static_cast<int>(options.rootRank);
        return thread_->add(c10d::OpType::BROADCAST, tensors, [=](MPI_Request* request) {
            check(MPI_Ibcast(tensor.mutable_data_ptr(), count, type, root, MPI_COMM_WORLD, request),
                  "MPI_Ibcast");
        });
    }

    c10::intrusive_ptr<c10d::Work> _allgather_base(Tensor& output, Tensor& input,
                                                   const c10d::AllgatherOptions& /*options*/) override {
        const auto type = type_of(input);
        const auto count = count_of(input);
        if (output.scalar_type() != input.scalar_type() || count_of(output) != count * getSize())
            throw std::runtime_error("MPI: allgather: the output has not the ranks' inputs' type and size");
        return thread_->add(
            c10d::OpType::_ALLGATHER_BASE, {output}, [=, to = output, from = input](MPI_Request* request) {
                check(MPI_Iallgather(from.const_data_ptr(), count, type, to.mutable_data_ptr(), count, type,
                                     MPI_COMM_WORLD, request),
                      "MPI_Iallgather");
            });
    }

    c10::intrusive_ptr<c10d::Work> allgather(std::vector<Tensors>& outputs, Tensors& inputs,
                                             const c10d::AllgatherOptions& options) override {
        auto input = only(inputs);
        if (outputs.size() != 1 || outputs.front().size() != static_cast<std::size_t>(getSize()))
            throw std::runtime_error("MPI: allgather: one output for each rank is expected");
        auto all = torch::empty({static_cast<std::int64_t>(getSize()) * input.numel()}, input.options());
        auto work = _allgather_base(all, input, options);
        work->wait();
        for (std::size_t i = 0; i < outputs.front().size(); ++i) {
            outputs.front()[i].copy_(
                all.narrow(0, static_cast<std::int64_t>(i) * input.numel(), input.numel()).view_as(input));
        }
        return work;
    }

    c10::intrusive_ptr<c10d::Work> barrier(const c10d::BarrierOptions& /*options*/) override {
        return thread_->add(c10d::OpType::BARRIER, {}, [](MPI_Request* request) {
            check(MPI_Ibarrier(MPI_COMM_WORLD, request), "MPI_Ibarrier");
        });
    }

    void shutdown() override { thread_->shutdown(); }
    void abort() override { thread_->abort(); }

  private:
    static Tensor only(const Tensors& tensors) {
        if (tensors.size() != 1) throw std::runtime_error("MPI: one tensor at a time is expected");
        return tensors.front();
    }

    std::unique_ptr<MpiThread> thread_;
};

c10::intrusive_ptr<c10d::Backend> open(const TransportOptions& options) {
    return c10::make_intrusive<MpiBackend>(std::make_unique<MpiThread>(options));
}

}  // namespace
}  // namespace stl::distributed

extern "C" const stl::distributed::TransportTable* stl_transport() {
    static const stl::distributed::TransportTable table{stl::distributed::transport_version,
                                                        stl::distributed::open};
    return &table;
}
