// From any videos, folders of pictures and arrays to one file of sequences to train on (docs/files.md).
//
// Sources are read frame by frame: memory does not depend on their length. A few are decoded at a time, each
// in a thread (with helpers of its own); another thread compresses and writes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/core/value_range.h"
#include "stl/formats/sequences.h"
#include "stl/media/video_reader.h"

namespace stl {

/// source: all clips of one source go to the same split. time: every source is cut, its beginning is for
/// training. usual: by source where there are three or more, or shares are given, else by time.
enum class SplitBy { source, time, usual };

struct ImportOptions {
    std::vector<std::string>
        inputs;                 ///< files, folders (searched), patterns such as "clips/*.mp4", FILE:DATASET
    DataFile output;            ///< of a format with attributes that streams
    int height = 0, width = 0;  ///< 0: as the first source is
    int channels = 0;           ///< 1 or 3; 0: 3 for videos and pictures, arrays as they are
    Fit fit = Fit::stretch;
    double fps = 0;  ///< 0: every frame as stored
    /// What folders of pictures and TIFFs with pages have; absent: what a TIFF says, else 25.
    std::optional<double> folder_fps;
    std::int64_t length = 20;          ///< frames of a sequence
    std::int64_t stride = 0;           ///< from a sequence's beginning to the next one's; 0: length
    std::optional<double> start, end;  ///< seconds of each source
    int stream = -1;                   ///< which one of videos; -1: the best
    bool split_scenes = false;         ///< no sequence runs over a cut
    double scene_threshold = 0.3;      ///< SceneCuts
    /// Shares of the sources that give sequences. None given: 0.8, 0.1, 0.1 where there are sources enough,
    /// else no splits. Given: train is the rest if it isn't; what it leaves goes to those of the others that
    /// aren't.
    std::optional<double> train, val, test;
    SplitBy split_by = SplitBy::source;
    std::uint64_t seed = 0;       ///< which source goes to which split
    std::string layout, dataset;  ///< of arrays (stl/formats/sequences.h)
    ExternalFiles external{};     ///< other files that a source names
    std::int64_t max_pixels = default_max_pixels;
    int threads = 0;      ///< of the decoder; 0: all cores
    int compression = 4;  ///< HDF5 deflate level, 0-9
    /// Whether training is to normalise by mean and deviation of the training sequences (the attributes
    /// `mean` and `std`); without it they stand among the settings, for people.
    bool normalize = false;
    /// The values that stand for black and white, as the file stores them (uint8: 0 to 255): the attribute `range`.
    /// Absent: what all sources say.
    std::optional<ValueRange> range;
    /// Instead: so large a share of all values lies below the range, and as large a one above.
    std::optional<double> range_percentile;
    bool measured = false;  ///< VideoOptions::measured
    bool force = false;
};

struct ImportReport {
    std::int64_t sources = 0;    ///< read, to the end or up to damage
    std::int64_t unusable = 0;   ///< gave nothing, with a warning
    std::int64_t too_short = 0;  ///< gave no sequence
    std::int64_t frames = 0;     ///< decoded and used
    std::int64_t sequences = 0;
    bool split = false;                       ///< sequences are marked
    std::array<std::int64_t, 3> per_split{};  ///< sequences, by Split
    std::int64_t cuts = 0;                    ///< scene cuts found
    double seconds = 0;                       ///< of work
};

/// Writes options.output; it appears when all is done. Error: no source, none that can be read, one that is
/// the output, not one sequence, shares that cannot be kept. Throws Interrupted when `stop` says so. Damage
/// is told as warnings.
ImportReport import_sequences(const ImportOptions& options, Reporter& reporter,
                              const StopRequested& stop = {});

}  // namespace stl
