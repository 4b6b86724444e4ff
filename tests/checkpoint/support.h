#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "tests/support/checks.h"

namespace stl {

using test::error_of;
using test::TemporaryFolder;

inline const fs::path models_folder = fs::path(STL_TEST_DATA) / "models";
inline const fs::path made_folder = fs::path(STL_TEST_DATA) / "checkpoints";

/// Same type, shape and bits.
inline bool same(const torch::Tensor& a, const torch::Tensor& b) {
    return a.scalar_type() == b.scalar_type() && torch::equal(a, b);
}

inline void expect_same(const NamedTensors& a, const NamedTensors& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].first, b[i].first);
        EXPECT_TRUE(same(a[i].second, b[i].second)) << a[i].first;
    }
}

inline const torch::Tensor& find(const NamedTensors& state, const std::string& name) {
    const auto found = std::ranges::find(state, name, [](const auto& item) { return item.first; });
    if (found == state.end()) fail("no tensor '{}'", name);
    return found->second;
}

}  // namespace stl
