// Published data sets in the layouts that their authors, or the reference (OpenSTL), keep them in. Each
// becomes one file of sequences that share frames (stl/formats/hdf5_windows.h), with the reference's splits and
// normalisation. To add one:
//
//   1. <name>.h and .cpp here, with one function `void import_<name>(LayoutJob& job)`.
//   2. its include and one line in the list of layout.cpp: name, help, files, length, function.
//   3. datasets/<name>/README.md and spec.json.
//   4. one line in the list of stl/data/registry.cpp: where people get it, and so that it can be trained on
//      by its name.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/reporter.h"
#include "stl/formats/hdf5_windows.h"
#include "stl/import/import.h"

namespace stl {

struct LayoutOptions {
    std::string name;            ///< "taxibj", ...
    fs::path folder;             ///< that holds the files
    fs::path output;             ///< .h5
    std::int64_t length = 0;     ///< frames of a sequence; 0: as the reference has it
    bool opencv_colors = false;  ///< colour channels in the reference's order, which is blue first where
                                 ///< it reads with OpenCV; for its checkpoints. Otherwise red, green, blue
    std::string variable;        ///< weather: which; "" is t2m
    int first_year = 0;          ///< weather: of training; 0 is 2010
    int compression = 4;
    ExternalFiles external{};  ///< other files that HDF5 files name
    bool force = false;
};

class LayoutJob;

struct LayoutInfo {
    std::string name;
    std::string help;
    std::string files;    ///< what is expected in the folder, for messages
    std::int64_t length;  ///< frames of a sequence in the reference
    void (*read)(LayoutJob& job);
    bool chooses = false;  ///< takes `variable` and `first_year`
};

const std::vector<LayoutInfo>& layouts();
/// Where people get the data, by the data sets' registry.
const std::string& source_of(const LayoutInfo& info);
/// Error: "<where>: unknown layout 'ktb' (did you mean 'kth'?)".
const LayoutInfo& find_layout(std::string_view name, std::string_view where);

/// What a member of the family reads from and writes to.
class LayoutJob {
  public:
    LayoutJob(const LayoutInfo& info, const LayoutOptions& options, Reporter& reporter, StopRequested stop);

    const LayoutOptions& options() const { return options_; }
    const StopRequested& stop() const { return stop_; }
    std::int64_t length() const { return length_; }
    bool has(const std::string& relative) const { return fs::exists(options_.folder / relative); }
    /// A file or folder below the given one. Error: not there (says what is expected and where it is had).
    fs::path require(const std::string& relative) const;
    [[noreturn]] void fail_missing(const std::string& relative) const;
    void warn(const std::string& line) { reporter_.warn(line); }

    /// Before the first frame. frame: its `frames` counts for nothing. `attributes` join the file's.
    void create(SequenceShape frame, DType dtype, Json attributes = Json::object());
    bool created() const { return writer_ != nullptr; }
    const SequenceShape& shape() const { return shape_; }
    std::int64_t frames() const { return writer_ ? writer_->frames() : 0; }
    /// Whole frames [n,C,H,W]. Throws Interrupted when asked to stop.
    void append(std::span<const std::uint8_t> frames);
    void append(std::span<const float> frames);
    void add_window(std::int64_t first, Split split);
    void add_window(std::span<const std::int64_t> frames, Split split);
    void source_done() { ++report_.sources; }
    /// Shown from now on: what is read, and how far of how much.
    void progress(const std::string& what, std::int64_t done, std::int64_t total);

    ImportReport finish();

  private:
    void appended(std::size_t values);

    const LayoutInfo& info_;
    LayoutOptions options_;
    Reporter& reporter_;
    StopRequested stop_;
    std::int64_t length_;
    SequenceShape shape_;
    std::unique_ptr<WindowWriter> writer_;
    ImportReport report_;
};

/// Error: a missing or damaged file, of another shape than expected. The output appears when all is done.
ImportReport import_layout(const LayoutOptions& options, Reporter& reporter, const StopRequested& stop = {});

/// Where the reference begins sequences in a run of `count` frames: the last one ends with the run, the one
/// before it begins `stride` earlier. Ascending.
std::vector<std::int64_t> starts_from_end(std::int64_t count, std::int64_t length, std::int64_t stride);

}  // namespace stl
