// Whether TF32 is on while something is computed.
#pragma once

#include <ATen/Context.h>
#include <ATen/record_function.h>

#include <functional>
#include <memory>

namespace stl::test {

inline bool tf32_is_on() {
    return at::globalContext().allowTF32CuBLAS() && at::globalContext().allowTF32CuDNN();
}

/// In every operator that `work` calls on this thread.
inline bool allows_tf32(const std::function<void()>& work) {
    static thread_local int with = 0, without = 0;
    with = without = 0;
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
            ++(tf32_is_on() ? with : without);
            return nullptr;
        }).scopes({at::RecordScope::FUNCTION}));
    work();
    at::removeCallback(handle);
    return with > 0 && without == 0;
}

}  // namespace stl::test
