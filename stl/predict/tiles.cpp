#include "stl/predict/tiles.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "stl/core/error.h"

namespace stl {
namespace {

std::int64_t rounded_up(std::int64_t n, std::int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

/// The share of the tile that begins, at pixel `i` of the `shared` ones that it has in common with the tile
/// before; the fade is half of `overlap` wide, in their middle.
float fade_in(std::int64_t i, std::int64_t shared, std::int64_t overlap) {
    const double width = std::max(static_cast<double>(std::min(overlap, shared)) / 2, 1.0);
    const double t = (static_cast<double>(2 * i + 1 - shared) / 2 + width / 2) / width;
    return static_cast<float>(0.5 - 0.5 * std::cos(std::numbers::pi * std::clamp(t, 0.0, 1.0)));
}

struct Place {
    std::int64_t sequence = 0;
    std::size_t row = 0, column = 0;
};

class TiledPrediction {
  public:
    TiledPrediction(const PredictFunction& predict, const TileOptions& options, const StopRequested& stop,
                    const torch::Tensor& x)
        : predict_(predict),
          options_(options),
          stop_(stop),
          height_(x.size(3)),
          width_(x.size(4)),
          rows_(plan_tiles(height_, options.height, overlap(options.height), options.align)),
          columns_(plan_tiles(width_, options.width, overlap(options.width), options.align)),
          input_(padded(x)) {}

    torch::Tensor run() {
        std::vector<Place> waiting;
        for (std::int64_t n = 0; n < input_.size(0); ++n) {
            for (std::size_t r = 0; r < rows_.begin.size(); ++r) {
                for (std::size_t c = 0; c < columns_.begin.size(); ++c) {
                    waiting.push_back({n, r, c});
                    if (std::ssize(waiting) == options_.batch) flush(waiting);
                }
            }
        }
        flush(waiting);
        return output_.narrow(3, 0, height_).narrow(4, 0, width_);
    }

  private:
    std::int64_t overlap(std::int64_t side) const { return options_.overlap.value_or(side / 4); }

    torch::Tensor padded(const torch::Tensor& x) const {
        const auto below = rows_.length - height_, right = columns_.length - width_;
        if (below == 0 && right == 0) return x;
        return torch::replication_pad3d(x, {0, right, 0, below, 0, 0});
    }

    torch::Tensor part(const torch::Tensor& frames, const Place& place) const {
        return frames[place.sequence]
            .narrow(2, rows_.begin[place.row], options_.height)
            .narrow(3, columns_.begin[place.column], options_.width);
    }

    void flush(std::vector<Place>& places) {
        if (places.empty()) return;
        if (stop_ && stop_()) throw Interrupted("predict: interrupted, nothing was written");
        std::vector<torch::Tensor> tiles;
        for (const auto& place : places) tiles.push_back(part(input_, place));
        const auto predictions = predict_(torch::stack(tiles)).to(torch::kCPU, torch::kFloat32);
        if (!output_.defined()) {
            output_ = torch::zeros(
                {input_.size(0), predictions.size(1), predictions.size(2), rows_.length, columns_.length});
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
            part(output_, places[i]).add_(predictions[static_cast<std::int64_t>(i)] * weights_of(places[i]));
        }
        places.clear();
    }

    torch::Tensor weights_of(const Place& place) const {
        const auto& down = rows_.weights[place.row];
        const auto& across = columns_.weights[place.column];
        return torch::tensor(down).unsqueeze(1) * torch::tensor(across).unsqueeze(0);
    }

    const PredictFunction& predict_;
    const TileOptions& options_;
    const StopRequested& stop_;
    std::int64_t height_, width_;
    TileAxis rows_, columns_;
    torch::Tensor input_;   ///< [B,T,C,H,W], padded
    torch::Tensor output_;  ///< [B,frames,C,H,W], padded
};

}  // namespace

TileAxis plan_tiles(std::int64_t length, std::int64_t tile, std::int64_t overlap, std::int64_t align) {
    TileAxis axis;
    const auto step = std::max(align, (tile - overlap) / align * align);
    const auto steps = length <= tile ? 0 : (length - tile + step - 1) / step;
    // Evenly spread, so that the last overlap is not much wider than the others.
    const auto even = steps == 0 ? 0 : rounded_up((length - tile + steps - 1) / steps, align);
    for (std::int64_t i = 0; i <= steps; ++i) axis.begin.push_back(i * even);
    axis.length = axis.begin.back() + tile;
    axis.weights.assign(axis.begin.size(), std::vector<float>(static_cast<std::size_t>(tile), 1.0F));
    const auto shared = tile - even;
    for (std::size_t i = 1; i < axis.begin.size(); ++i) {
        for (std::int64_t k = 0; k < shared; ++k) {
            const float in = fade_in(k, shared, overlap);
            axis.weights[i][static_cast<std::size_t>(k)] *= in;
            axis.weights[i - 1][static_cast<std::size_t>(even + k)] *= 1 - in;
        }
    }
    return axis;
}

PredictFunction tiled(PredictFunction predict, const TileOptions& options, const StopRequested& stop) {
    if (options.overlap && *options.overlap > std::min(options.height, options.width) / 2) {
        fail("an overlap of {} pixels: of tiles of {}x{} it is half a side at most", *options.overlap,
             options.width, options.height);
    }
    return [predict = std::move(predict), options, stop](const torch::Tensor& x) {
        return TiledPrediction(predict, options, stop, x).run();
    };
}

}  // namespace stl
