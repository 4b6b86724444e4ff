#include "stl/media/natural_order.h"

#include <algorithm>
#include <cstddef>

namespace stl {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The run of digits that `text` starts with.
std::string_view leading_digits(std::string_view text) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

std::string_view without_zeros(std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
    const std::string_view whole_a = a, whole_b = b;
    while (!a.empty() && !b.empty()) {
        if (is_digit(a[0]) && is_digit(b[0])) {
            const auto digits_a = leading_digits(a), digits_b = leading_digits(b);
            const auto value_a = without_zeros(digits_a), value_b = without_zeros(digits_b);
            if (value_a.size() != value_b.size()) return value_a.size() < value_b.size();
            if (value_a != value_b) return value_a < value_b;
            a.remove_prefix(digits_a.size());
            b.remove_prefix(digits_b.size());
        } else {
            if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
            a.remove_prefix(1);
            b.remove_prefix(1);
        }
    }
    if (a.empty() != b.empty()) return a.empty();
    return whole_a < whole_b;  // "01" and "1": any fixed order
}

}  // namespace stl
