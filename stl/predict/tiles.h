// Predictions for frames larger than the network's: overlapping tiles of its own size, blended smoothly.
//
// The outer quarter of the overlap is not used (there the network saw padding instead of the picture), and
// over its middle half one tile fades into the next (raised cosine). So a network that looks no further than
// a quarter of the overlap gives what it would give for the whole frame; one that looks at the whole tile
// (GroupNorm, attention) comes close to it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stl/predict/predict.h"

namespace stl {

struct TileOptions {
    std::int64_t height = 0, width = 0;   ///< of a tile: what the network takes
    std::optional<std::int64_t> overlap;  ///< of neighbours, pixels; default: a quarter of a tile's side
    std::int64_t align = 1;               ///< tiles begin at multiples of this: the network's stride
    std::int64_t batch = 1;               ///< tiles at a time
};

/// Along one axis: where the tiles begin, and what each counts at each of its pixels (all tiles together: 1).
struct TileAxis {
    std::int64_t length = 0;          ///< of the frame, padded so that tiles fit
    std::vector<std::int64_t> begin;  ///< ascending; the last tile ends at `length`
    std::vector<std::vector<float>> weights;
};
/// `tile` pixels each, neighbours sharing at least `overlap` (fewer where `align` leaves no such places).
TileAxis plan_tiles(std::int64_t length, std::int64_t tile, std::int64_t overlap, std::int64_t align);

/// `predict` takes [B,T,C,height,width]; the result takes [B,T,C,H,W] of any H and W and gives
/// [B,frames,C,H,W] on the CPU. Memory: input and output, and `batch` tiles. Frames smaller than a tile are
/// padded by replication. Error: an overlap of more than half a tile. Throws Interrupted when `stop`
/// says so.
PredictFunction tiled(PredictFunction predict, const TileOptions& options, const StopRequested& stop = {});

}  // namespace stl
