// The one file that FFmpeg may read. Its bytes come from here, and it has no other way to any: a playlist named clip.mp4
// opens nothing. Used by the sources of this folder alone.
#pragma once

#include <cstdint>
#include <string>

#include "stl/core/descriptor.h"
#include "stl/core/external_files.h"
#include "stl/core/file.h"
#include "stl/core/reporter.h"
#include "stl/media/ffmpeg.h"

namespace stl {

class InputFile {
  public:
    /// external.allowed: FFmpeg opens the file itself, and then those that it names (of this machine: no network).
    /// `stop` is asked whenever FFmpeg reads or waits, from the thread that reads.
    InputFile(fs::path path, ExternalFiles external, StopRequested stop);
    ~InputFile();
    InputFile(const InputFile&) = delete;
    InputFile& operator=(const InputFile&) = delete;

    /// The open container, which must not outlive this. `code`: FFmpeg's; below 0 nothing is open.
    /// Error: a playlist, or another format that names files or is not on the list.
    ffmpeg::Input open(int& code);
    /// After each call of FFmpeg that reads. Interrupted: `stop` said so. Error: it asked for another file.
    void check() const;

  private:
    /// A reader's place in the file: FFmpeg may open it more than once.
    struct View;

    AVIOContext* new_view() const;
    static void free_view(AVIOContext* view);
    static int read(void* view, std::uint8_t* to, int size);
    static std::int64_t seek(void* view, std::int64_t offset, int whence);
    static int stopped(void* file);
    static int open_by_name(AVFormatContext* context, AVIOContext** view, const char* name, int flags,
                            AVDictionary** options);
    static int close_opened(AVFormatContext* context, AVIOContext* view);

    const AVInputFormat* recognise(int& code);

    fs::path path_;
    std::string name_;  ///< what FFmpeg is told
    ExternalFiles external_;
    StopRequested stop_;
    Descriptor descriptor_;  ///< not open if FFmpeg opens the file itself
    AVIOContext* view_ = nullptr;
    std::string refused_;  ///< the first other file that FFmpeg asked for
};

}  // namespace stl
