// What a file is by its first bytes, for the messages of readers that expected something else: another kind of file,
// or what a download left in its place.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "stl/core/file.h"

namespace stl {

/// "a Git LFS pointer in place of the file; ..." if `start`, a file's first bytes, are such; else empty.
std::string stand_in(std::span<const std::byte> start);

/// Error "<path>: a Git LFS pointer in place of the file; ..." if it is one; nothing where it can't be read.
void refuse_stand_in(const fs::path& path);

enum class FileKind { unknown, run, checkpoint, sequences, json, video };

/// A guess for messages: by the first bytes, of a folder by the experiment.json in it. Never an Error.
FileKind kind_of_file(const fs::path& path);

/// "; it is a checkpoint, which stl evaluate, predict, info and convert take", for the end of a message; empty for
/// what is not known.
std::string kind_hint(const fs::path& path);

}  // namespace stl
