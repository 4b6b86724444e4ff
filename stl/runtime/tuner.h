// Which of several implementations of the same work is the quickest on this machine: found by timing them, once.
//
// Implementations differ in the order of their sums, so that a choice shows in the last digits of results. The first of
// the candidates is therefore kept unless another is clearly quicker, and what was chosen is remembered in a file.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>

namespace stl {

/// Work -> the name of the candidate that does it: {"product fp32 256x512 -> 2048, 2 threads", "own"}.
using Choices = std::map<std::string, std::string>;

struct Candidate {
    std::string name;
    std::function<void()> run;  ///< does the work once
};

class Tuner {
  public:
    /// Reads what `file` remembers. A file that is missing, damaged or too large counts as empty.
    /// seconds: measuring stops after so long in all; what is then not known is done by the first candidate.
    explicit Tuner(std::filesystem::path file, double seconds = 0.5);

    /// The index of the candidate to use for `work`: the remembered one, else the quickest. Candidates run in turn, a few
    /// times; another than the first must take less than 0.9 of its time. Not thread-safe.
    std::size_t choose(const std::string& work, std::span<const Candidate> candidates);
    /// Adds what was chosen since to the file. A folder that cannot be written to is not an error: the next process
    /// measures again.
    void save();

    /// All that is remembered or was chosen.
    const Choices& choices() const { return choices_; }
    const std::filesystem::path& file() const { return file_; }

  private:
    std::filesystem::path file_;
    double seconds_left_;
    Choices choices_;
    bool changed_ = false;
};

/// Where choices for this machine are kept: in the user's cache folder ($XDG_CACHE_HOME/stl or ~/.cache/stl), a file for
/// each processor, instruction set, LibTorch and build of this program. Empty where there is no such folder.
std::filesystem::path choices_file();

}  // namespace stl
