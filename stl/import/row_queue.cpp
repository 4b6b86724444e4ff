#include "stl/import/row_queue.h"

namespace stl {

RowQueue::RowQueue(SequenceWriter& writer, DType dtype, std::size_t most_waiting)
    : writer_(writer), dtype_(dtype), most_(most_waiting), thread_([this] { work(); }) {}

RowQueue::~RowQueue() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        rows_.clear();
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void RowQueue::push(std::vector<std::byte> row) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rows_.size() < most_ || failure_; });
    if (failure_) throw WritingFailed();
    rows_.push_back(std::move(row));
    changed_.notify_all();
}

void RowQueue::finish() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
}

void RowQueue::work() {
    try {
        for (;;) {
            std::vector<std::byte> row;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return !rows_.empty() || closed_; });
                if (rows_.empty()) return;
                row = std::move(rows_.front());
                rows_.pop_front();
            }
            changed_.notify_all();
            if (dtype_ == DType::u8) {
                writer_.append(std::span(reinterpret_cast<const std::uint8_t*>(row.data()), row.size()));
            } else {
                writer_.append(
                    std::span(reinterpret_cast<const float*>(row.data()), row.size() / sizeof(float)));
            }
        }
    } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
    }
    changed_.notify_all();
}

}  // namespace stl
