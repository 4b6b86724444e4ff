// The types of values that the kernels take.
#pragma once

namespace stl::cpu {

/// What is multiplied and stored; sums are float32. In products two bfloat16 neighbours make a pair, which
/// takes a float's place in memory: the lower index in the lower half.
enum class Type { float32, bfloat16 };

/// What so many values of a row take, in floats or pairs.
inline constexpr int words_of(Type precision, int values) {
    return precision == Type::bfloat16 ? (values + 1) / 2 : values;
}

}  // namespace stl::cpu
