// Integers of a given width, and the arithmetic that every engine shares.
//
// Under an HLS compiler the pragmas are live; under any other C++17 compiler they vanish, and each narrowing is
// checked against its width.
#ifndef CD_INT_H
#define CD_INT_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#if defined(__SYNTHESIS__) || defined(__VITIS_HLS__)
#define CD_PRAGMA_TEXT(text) _Pragma(#text)
#define CD_HLS(...) CD_PRAGMA_TEXT(HLS __VA_ARGS__)
#else
#define CD_HLS(...)
#endif

namespace cd {

// The smallest standard type that holds Bits bits of two's complement.
template <int Bits>
using sint_t = std::conditional_t<
    (Bits <= 8), std::int8_t,
    std::conditional_t<(Bits <= 16), std::int16_t, std::conditional_t<(Bits <= 32), std::int32_t, std::int64_t>>>;

// A value on its way into Bits bits. In C simulation a value that does not fit ends the run.
template <int Bits>
inline sint_t<Bits> narrow(std::int64_t value) {
#ifndef __SYNTHESIS__
  const std::int64_t low = -(std::int64_t{1} << (Bits - 1));
  const std::int64_t high = -(low + 1);
  if (value < low || value > high) {
    std::fprintf(stderr, "%lld does not fit in %d bits\n", static_cast<long long>(value), Bits);
    std::abort();
  }
#endif
  return static_cast<sint_t<Bits>>(value);
}

inline std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value < low ? low : (value > high ? high : value);
}

// value * mult / 2^shift, rounded half away from zero.
inline std::int64_t rescale(std::int64_t value, std::int64_t mult, int shift) {
  CD_HLS(INLINE)
  const std::int64_t product = value * mult;
  const std::int64_t half = shift > 0 ? std::int64_t{1} << (shift - 1) : 0;
  const std::int64_t magnitude = ((product < 0 ? -product : product) + half) >> shift;
  return product < 0 ? -magnitude : magnitude;
}

constexpr int ceil_div(int value, int by) { return (value + by - 1) / by; }
constexpr int min_of(int a, int b) { return a < b ? a : b; }
constexpr int max_of(int a, int b) { return a > b ? a : b; }

}  // namespace cd

#endif  // CD_INT_H
