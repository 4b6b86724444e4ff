// Recognises a file by its first bytes, for the messages of readers that expected something else: it may be another
// kind of file, or what a failed download left in its place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "stl/core/file.h"

namespace stl {

/// "a Git LFS pointer in place of the file; ..." if `start`, a file's first bytes, is one (or a web page); else empty.
std::string stand_in(std::span<const std::byte> start);

/// Error "<path>: a Git LFS pointer in place of the file; ..." if it is one; does nothing if the file cannot be read.
void refuse_stand_in(const fs::path& path);

enum class FileKind { unknown, run, checkpoint, sequences, json, video, onnx };

/// What a file of arrays begins with; a format of formats/sequence_formats.h takes its first_bytes from here.
namespace first_bytes {
inline constexpr std::string_view hdf5 = "\x89HDF\r\n\x1a\n";
inline constexpr std::string_view npy = "\x93NUMPY";
inline constexpr std::string_view zip = "PK\x03\x04";  ///< NPZ, but checkpoints too
inline constexpr std::string_view arrays[] = {hdf5, npy};
}  // namespace first_bytes

/// A guess for messages: by the first bytes or, for a folder, by the experiment.json in it. Never throws an Error.
FileKind kind_of_file(const fs::path& path);

/// "; it is a checkpoint; stl evaluate, predict, info and convert read it", for the end of a message; empty if the kind
/// is unknown.
std::string kind_hint(const fs::path& path);

}  // namespace stl
