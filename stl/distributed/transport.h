// What carries a group's messages: a library of its own that is opened at run time, so that a program on one device
// neither links nor loads it.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <cstdint>
#include <functional>

#include "stl/runtime/torch.h"

namespace stl::distributed {

struct TransportOptions {
    /// Called about once a second, on a thread of the transport, while an operation waits for other ranks, with the
    /// seconds that it has waited. What it throws becomes the operation's error.
    std::function<void(double seconds)> waiting{};
};

/// The backend's operations run in the order in which they were called, on a thread of the transport.
/// shutdown(): after all ranks have called it, none may be called any more. abort(): ends all ranks' processes.
/// Error: std::runtime_error.
using OpenTransport = c10::intrusive_ptr<c10d::Backend> (*)(const TransportOptions& options);

/// The library's entry, a function that returns this.
struct TransportTable {
    std::uint32_t version;
    OpenTransport open;
};
inline constexpr std::uint32_t transport_version = 1;
using TransportEntry = const TransportTable* (*)();
inline constexpr const char* transport_entry = "stl_transport";

}  // namespace stl::distributed
