// Writes pickles of plain values and tensors as torch.save does: protocol 2, only opcodes and names that
// torch.load(weights_only=True) accepts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stl/core/array.h"
#include "stl/core/json.h"

namespace stl::pickle {

/// Values are written one after the other; a dictionary is begin_dict(), then keys and values by turns,
/// end_dict().
class Writer {
  public:
    Writer();

    void none();
    void boolean(bool value);
    void integer(std::int64_t value);
    void big_integer(std::uint64_t value);
    void real(double value);
    void text(std::string_view value);
    void begin_dict();
    void end_dict();
    /// collections.OrderedDict, as state dicts are.
    void begin_ordered_dict();
    void begin_list();
    void end_list();
    void begin_tuple();
    void end_tuple();
    /// A row-major tensor whose bytes are the archive's record data/<key>.
    void tensor(DType dtype, const Shape& shape, std::size_t key);
    void json(const Json& value);

    /// Ends the pickle.
    std::string finish();

  private:
    void op(std::uint8_t code) { out_ += static_cast<char>(code); }
    template <class T>
    void raw(T value);
    void global(std::string_view module, std::string_view name);

    std::string out_;
};

}  // namespace stl::pickle
