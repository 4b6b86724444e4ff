// Moving-glyph data sets written into files: the published test sets, and stored training sets.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/reporter.h"
#include "stl/formats/sequences.h"
#include "stl/glyphs/moving_scene.h"

namespace stl {

/// Where the random numbers come from.
enum class Protocol {
    openstl,  ///< OpenSTL's tools/prepare_data/generate_mmnist.py, draw by draw
    stream,   ///< what training draws: sequences of its first epoch, or its validation set
};

struct GenerateOptions {
    std::string dataset = "mmnist";  ///< one of moving_kinds()
    Split split = Split::train;
    Protocol protocol = Protocol::stream;
    std::uint64_t seed = 0;
    std::int64_t sequences = 10'000;
    MovingGlyphOptions moving{};
    MovingSources sources{};
    DType dtype = DType::u8;  ///< or f32
    int compression = 0;      ///< HDF5 deflate level
    int threads = 1;
    bool force = false;
};

/// Writes `output`: HDF5 [N,T,C,H,W] (uint8, or float32 in [0,1]) with the settings as attributes, or NPY in the layout
/// of the published files: [T,N,H,W] (uint8 or float32, 0-255), in colour [T,N,H,W,3] (uint8). Returns the settings.
/// Error: options out of range, an existing file, a full disk. Interrupted: no file is left.
Json generate(const GenerateOptions& options, const DataFile& output, Reporter& reporter,
              const StopRequested& stop);

}  // namespace stl
