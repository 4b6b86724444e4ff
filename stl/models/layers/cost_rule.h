// What the count of multiply-adds (complexity.h) can't see in a module's layers.
//
// The count walks the module tree: every layer works once at each of its module's output positions (pixels,
// or tokens). A module that is different says so here; most need not.
#pragma once

#include <cstdint>
#include <string>

namespace stl {

class CostRule {
  public:
    virtual ~CostRule() = default;
    /// Positions at which the child named so works, where the module itself works at `positions`. 0: not
    /// counted.
    virtual std::int64_t child_positions(const std::string& /*child*/, std::int64_t positions) const {
        return positions;
    }
    /// Multiply-adds of products of activations (attention).
    virtual std::int64_t matmul_macs(std::int64_t /*positions*/) const { return 0; }
    /// Elements averaged to one value a channel; fvcore counts each as one.
    virtual std::int64_t pooled_elements(std::int64_t /*positions*/) const { return 0; }
};

}  // namespace stl
