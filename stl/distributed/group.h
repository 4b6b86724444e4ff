// The group of ranks that work on one run: collective operations, in which every rank must take part, in the same order.
//
// A failure is either common to all ranks (together(), require_same(), or an error that every rank finds at the same
// place), and then one of them tells it; or it is one rank's own: it tells it and ends the others with abort().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stl/core/file.h"
#include "stl/distributed/world.h"
#include "stl/runtime/torch.h"

namespace c10d {
class ProcessGroup;
}

namespace stl {

struct GroupOptions {
    /// Seconds after which a rank that the others wait for is taken for dead or hung. Ten times as many where it has
    /// announced something slow (Group::note()), or where no notes can be read yet.
    double patience = 60;
};

class Group {
  public:
    /// Joins the group, and waits for the others. Error: the launcher speaks no MPI; the transport's library is missing
    /// or cannot be opened.
    explicit Group(const World& world, const GroupOptions& options = {});
    /// A group that was not closed ends the processes of all ranks.
    ~Group();
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    const World& world() const;
    int rank() const { return world().rank; }
    int size() const { return world().size; }
    /// Rank 0, which writes files and speaks for all.
    bool leads() const { return rank() == 0; }
    /// "rank 1 on host a"
    std::string name_of(int rank) const;
    /// Of the ranks, in their order.
    const std::vector<std::string>& hosts() const;

    /// The sum of all ranks' tensors, in place. x: contiguous, floating point or int64.
    void sum(torch::Tensor x) const;
    double mean(double value) const;
    /// The same bits on all ranks.
    double total(double value) const;
    bool any(bool value) const;
    /// Rank 0's values, in place.
    void broadcast(const std::vector<torch::Tensor>& tensors) const;
    std::string broadcast(const std::string& text) const;
    /// Of all ranks, in their order; any bytes.
    std::vector<std::string> gather(const std::string& bytes) const;
    std::vector<std::vector<double>> gather(const std::vector<double>& numbers) const;

    /// Has all ranks do `work`, which takes no part in collective operations. Where it throws on one, it throws on all:
    /// what was thrown where all failed alike, else an Error with the first rank's line, and its name unless it is rank 0.
    void together(const std::function<void()>& work);
    /// Error, on all ranks: "rank 1 on host b: other data files than rank 0's: ...".
    void require_same(std::string_view what, const std::string& mine);
    /// Error, on all ranks, naming those whose tensors are not bit for bit as most ranks have them.
    void require_same(std::string_view what, const std::vector<torch::Tensor>& mine);
    /// Whether a failure was common, so that all ranks go on in the same way.
    bool failed_together() const;

    /// From here on the ranks' notes are kept in `folder`, a file for each rank, until close(). Those of ranks that cannot
    /// write there (other hosts without it) remain unknown to the others.
    void keep_notes(const fs::path& folder);
    /// What this rank does from here on: "step 12". Read where another waits for it in vain. slow: may take long.
    void note(const std::string& what, bool slow = false);

    /// c10d's view of the group, for its own engines.
    const c10::intrusive_ptr<c10d::ProcessGroup>& engine() const;

    /// After the last operation: waits for all ranks, and shuts the transport down.
    void close();
    /// Ends all ranks' processes, this one too, with this status.
    [[noreturn]] void abort(int status);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Those of a process that may have no group (null): it is the only one.
inline int rank_in(const Group* group) {
    return group != nullptr ? group->rank() : 0;
}
inline int size_of(const Group* group) {
    return group != nullptr ? group->size() : 1;
}
/// Group::together(), or the work alone.
void together(Group* group, const std::function<void()>& work);

/// Where the library of the transport over MPI lies: beside the program, or in ../lib. Empty: not built or not installed.
fs::path mpi_transport_file();

}  // namespace stl
