#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "stl/archive/zip.h"
#include "stl/checkpoint/checkpoint.h"
#include "stl/core/error.h"
#include "stl/models/registry.h"
#include "stl/pickle/writer.h"
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

inline const torch::Tensor& find(const NamedTensors& state, std::string_view name) {
    const auto found = std::ranges::find(state, name, [](const auto& item) { return item.first; });
    if (found == state.end()) fail("no tensor '{}'", name);
    return found->second;
}

/// A file of torch.save by hand, of a dictionary with the entries that `write` puts into it. Its only storage, 0,
/// is of eight zeros.
inline fs::path made_by_hand(const TemporaryFolder& folder,
                             const std::function<void(pickle::Writer&)>& write) {
    pickle::Writer out;
    out.begin_dict();
    write(out);
    out.end_dict();
    const auto path = folder / "made.pth";
    ZipWriter zip(path, "made.pth");
    zip.add("made/data.pkl", out.finish());
    zip.add("made/data/0", std::string(8, '\0'));
    zip.finish();
    return path;
}

/// `key`: a dictionary of tensors [2] with these names.
inline void write_weights(pickle::Writer& out, const std::string& key,
                          const std::vector<std::string>& names) {
    out.text(key);
    out.begin_dict();
    for (const auto& name : names) {
        out.text(name);
        out.tensor(DType::f32, {2}, 0);
    }
    out.end_dict();
}

}  // namespace stl
