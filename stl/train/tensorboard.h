// A TensorBoard event file: scalars by tag and step.
//
// Format: TFRecord framing (length, masked CRC-32C of it, data, masked CRC-32C of the data) around `Event`
// protocol buffers; tensorflow/core/util/event.proto and core/lib/io/record_writer.h describe it.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "stl/core/file.h"

namespace stl {

class TensorBoardWriter {
  public:
    /// Creates events.out.tfevents.<seconds>.stl in `folder`.
    explicit TensorBoardWriter(const fs::path& folder);
    /// Marks that training restarts at `step`: TensorBoard then ignores what other files in the folder have for `step`
    /// and later.
    void restart_at(std::int64_t step);
    void add(std::int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

  private:
    void write_record(const std::string& event);
    std::ofstream out_;
};
/// The records of an event file that are whole, up to the first that is not; and whether it is so damaged, rather than
/// cut short by the end of a process that wrote it.
struct EventCheck {
    std::int64_t whole = 0;
    bool damaged = false;
};
EventCheck check_events(const fs::path& file);

}  // namespace stl
