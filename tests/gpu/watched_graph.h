// A graph that is watched.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "stl/gpu/kernel_table.h"

namespace stl::test {

/// Counts what a graph is asked for, and can fail.
class WatchedGraph : public gpu::Graph {
  public:
    struct Calls {
        int warm_ups = 0, captures = 0, replays = 0;
        bool fails = false;
    };
    WatchedGraph(std::unique_ptr<gpu::Graph> inner, Calls& calls) : inner_(std::move(inner)), calls_(calls) {}
    void warm_up(const std::function<void()>& work) override {
        ++calls_.warm_ups;
        inner_->warm_up(work);
    }
    void capture(const std::function<void()>& work) override {
        ++calls_.captures;
        if (calls_.fails)
            throw std::runtime_error("operation not permitted when stream is capturing\nand more");
        inner_->capture(work);
    }
    void replay() override {
        ++calls_.replays;
        inner_->replay();
    }

  private:
    std::unique_ptr<gpu::Graph> inner_;
    Calls& calls_;
};

}  // namespace stl::test
