// Sequences that share frames: an HDF5 file with `frames` [F,C,H,W] (uint8 0-255, or float32 in the model's
// range), `windows` int64 [N,T] (which frames make up each sequence), and optionally `split` uint8 [N]. A
// long film cut into overlapping sequences is stored once.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "stl/formats/sequences.h"

namespace stl {

/// True for an HDF5 file with both datasets and no `sequences`.
bool holds_windows(const fs::path& path);

/// x: [n,T,C,H,W] as every reader gives it. Error: wrong rank or type, a window that names a frame which is
/// not there.
std::unique_ptr<SequenceReader> open_windows(const fs::path& path, ExternalFiles external = {});

/// The frames first, or between them, the windows over what was appended. The file appears under its name
/// only at finish().
class WindowWriter {
  public:
    /// Sequences of shape.frames frames. `options`: dtype, fps, attributes, compression, force. Error: an
    /// existing file.
    WindowWriter(const fs::path& path, const SequenceShape& shape, const WriteOptions& options);
    ~WindowWriter();
    WindowWriter(const WindowWriter&) = delete;
    WindowWriter& operator=(const WindowWriter&) = delete;

    /// Whole frames [n,C,H,W] of the writer's dtype.
    void append(std::span<const std::uint8_t> frames);
    void append(std::span<const float> frames);
    std::int64_t frames() const;
    std::int64_t windows() const;
    /// One sequence: shape.frames numbers of frames, counted from 0 (they need not be there yet).
    void add_window(std::span<const std::int64_t> frames, Split split);
    /// Frames first, first + 1, ...
    void add_window(std::int64_t first, Split split);
    /// Error: no window, a window beyond the frames, the disk is full.
    void finish();

  private:
    class File;
    std::unique_ptr<File> file_;
};

}  // namespace stl
