#include "stl/import/layouts/taxibj.h"

#include "stl/core/error.h"

namespace stl {
namespace {

/// X and Y of one split, which belong together row by row.
class Pair {
  public:
    Pair(const std::string& file, const std::string& split)
        : where_(fmt::format("{}: X_{} and Y_{}", file, split, split)),
          x_(open_sequences(file, {.layout = "NTCHW", .dataset = "X_" + split})),
          y_(open_sequences(file, {.layout = "NTCHW", .dataset = "Y_" + split})) {
        const auto &x = x_->info(), &y = y_->info();
        if (x.dtype == DType::u8 || y.dtype == DType::u8) {
            fail("{}: uint8 values, expected float in [-1,1]", where_);
        }
        auto y_shape = y.shape;
        y_shape.frames = x.shape.frames;
        if (x.count != y.count || x.shape != y_shape) {
            fail("{}: {} x {} and {} x {}, expected as many of the same size", where_, x.count,
                 to_string(x.shape), y.count, to_string(y.shape));
        }
    }

    std::int64_t count() const { return x_->info().count; }
    std::int64_t frames() const { return x_->info().shape.frames + y_->info().shape.frames; }
    SequenceShape frame() const {
        auto shape = x_->info().shape;
        shape.frames = 1;
        return shape;
    }
    const std::string& where() const { return where_; }

    /// Row n, X before Y, from [-1,1] to [0,1].
    std::vector<float> row(std::int64_t n) const {
        const auto in = static_cast<std::size_t>(x_->info().shape.elements());
        const auto out = static_cast<std::size_t>(y_->info().shape.elements());
        std::vector<float> values(in + out);
        x_->read(n, 1, std::span(values).first(in));
        y_->read(n, 1, std::span(values).last(out));
        for (auto& value : values) value = (value + 1) / 2;
        return values;
    }

  private:
    std::string where_;
    std::unique_ptr<SequenceReader> x_, y_;
};

void import_split(LayoutJob& job, const std::string& file, const std::string& name, Split split) {
    const Pair pair(file, name);
    if (!job.created()) job.create(pair.frame(), DType::f32, {{"normalisation", "(value + 1) / 2"}});
    auto expected = job.shape();
    expected.frames = 1;
    if (pair.frames() != job.length() || pair.frame() != expected) {
        fail("{}: {} frames of {}x{}x{}, expected {}", pair.where(), pair.frames(), pair.frame().channels,
             pair.frame().height, pair.frame().width, to_string(job.shape()));
    }
    for (std::int64_t n = 0; n < pair.count(); ++n) {
        const auto first = job.frames();
        job.append(pair.row(n));
        job.add_window(first, split);
        if (n % 64 == 0) job.progress(name, n, pair.count());
    }
    job.source_done();
}

}  // namespace

void import_taxibj(LayoutJob& job) {
    const auto file = job.require("dataset.npz").string();
    import_split(job, file, "train", Split::train);
    import_split(job, file, "test", Split::test);
}

}  // namespace stl
