// Non-linear operators in integers, after I-BERT (Kim 2021): second-order polynomials, one division or root a row.
#ifndef CD_NONLINEAR_H
#define CD_NONLINEAR_H

#include "cd_vector.h"

namespace cd {

constexpr int kExpFraction = 15;
constexpr std::int64_t kExpA = 11288;  // 0.3585 ln(2)^2, 16 fraction bits
constexpr std::int64_t kExpB = 63962;  // 1.353 / ln(2), 15
constexpr std::int64_t kExpC = 22544;  // 0.344, 16
constexpr int kExpZeroFrom = 31;
constexpr std::int64_t kErfA = 4732;   // 0.2888, 14
constexpr std::int64_t kErfB = 28983;  // 1.769, 14
constexpr int kErfFraction = 14;
constexpr int kReciprocalBits = 46;
constexpr int kNormFraction = 14;

// 2^-t, t with 15 fraction bits, the result with 16.
inline std::int64_t exp2_negative(std::int64_t t) {
  CD_HLS(INLINE)
  const std::int64_t whole = t >> kExpFraction;
  const std::int64_t u = kExpB - (t & ((1 << kExpFraction) - 1));
  const std::int64_t polynomial = ((u * u * kExpA) >> (2 * kExpFraction)) + kExpC;
  return whole < kExpZeroFrom ? polynomial >> whole : 0;
}

// floor(sqrt(value)), a bit a step.
inline std::int64_t integer_sqrt(std::int64_t value) {
  std::int64_t root = 0;
  for (int bit = 30; bit >= 0; --bit) {
    CD_HLS(PIPELINE II = 1)
    const std::int64_t trial = root | (std::int64_t{1} << bit);
    if (trial * trial <= value) root = trial;
  }
  return root;
}

inline int bit_length(std::int64_t value) {
  int length = 0;
  for (int bit = 0; bit < 63; ++bit) {
    CD_HLS(UNROLL)
    if (((value >> bit) & 1) != 0) length = bit + 1;
  }
  return length;
}

inline std::int64_t gelu(std::int64_t x, const Layer& l) {
  const std::int64_t scaled = ((x < 0 ? -x : x) * l.arg_mult) >> l.arg_shift;
  const std::int64_t v = kErfB - (scaled < kErfB ? scaled : kErfB);
  const std::int64_t one = 1 << kErfFraction;
  const std::int64_t erf = one - ((v * v * kErfA) >> (2 * kErfFraction));
  return rescale(x * (x >= 0 ? one + erf : one - erf), l.mult, l.shift);
}

// A table of outputs at evenly spaced inputs, interpolated where the input has more than 8 bits.
inline std::int64_t table(const std::uint8_t* memory, std::int64_t x, int input_bits, const Layer& l) {
  const int fraction = input_bits > 8 ? input_bits - 8 : 0;
  const std::int64_t offset = x + (std::int64_t{1} << (input_bits - 1));
  const std::int64_t index = offset >> fraction;
  const std::int64_t rest = offset & ((std::int64_t{1} << fraction) - 1);
  const std::int64_t below = read_word<4>(memory, l.params + 4 * index);
  const std::int64_t above = read_word<4>(memory, l.params + 4 * (index + 1));
  return rescale(below * ((std::int64_t{1} << fraction) - rest) + above * rest, 1, fraction);
}

template <int Lanes>
Cycles activate(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  std::uint64_t words = 0;
  for (int c = 0; c < y.channels; c += Lanes) {
    const int count = min_of(Lanes, y.channels - c);
    for (int p = 0; p < y.rows; ++p) {
      for (int q = 0; q < y.cols; ++q, ++words) {
        CD_HLS(PIPELINE II = 1)
        std::int32_t value[Lanes];
        read_channels<Lanes>(memory, x, c, p, q, count, value);
        for (int i = 0; i < count; ++i) {
          CD_HLS(UNROLL)
          std::int64_t out = value[i];
          if (l.op == Op::Gelu) out = gelu(out, l);
          if (l.op == Op::Table) out = table(memory, out, x.bits, l);
          write_tensor<Lanes>(memory, y, c + i, p, q, clamp(out, l.low, l.high));
        }
      }
    }
  }
  return streamed(words, words);
}

// Over the C channels of each group at each place. `row` holds RowMax values.
template <int Lanes, int RowMax>
Cycles softmax(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  static std::int64_t row[RowMax];
  for (int g = 0; g < l.G; ++g) {
    for (int p = 0; p < l.P; ++p) {
      for (int q = 0; q < l.Q; ++q) {
        const auto kept = [&](int c) { return l.params < 0 || memory[l.params + p * l.C + c] != 0; };
        std::int64_t top = INT32_MIN;
        for (int c = 0; c < l.C; ++c) {
          CD_HLS(PIPELINE II = 1)
          row[c] = read_tensor<Lanes>(memory, x, g * l.C + c, p, q);
          if (kept(c) && row[c] > top) top = row[c];
        }
        std::int64_t total = 0;
        for (int c = 0; c < l.C; ++c) {
          CD_HLS(PIPELINE II = 1)
          const std::int64_t distance = top > row[c] ? top - row[c] : 0;
          const std::int64_t t = (distance * l.arg_mult) >> l.arg_shift;
          row[c] = kept(c) ? exp2_negative(t < INT32_MAX ? t : INT32_MAX) : 0;
          total += row[c];
        }
        const std::int64_t reciprocal = total > 0 ? (std::int64_t{1} << kReciprocalBits) / total : 0;
        for (int c = 0; c < l.C; ++c) {
          CD_HLS(PIPELINE II = 1)
          const std::int64_t value = rescale(row[c] * reciprocal, 1, l.shift);
          write_tensor<Lanes>(memory, y, g * l.C + c, p, q, value < l.high ? value : l.high);
        }
      }
    }
  }
  const std::uint64_t elements = static_cast<std::uint64_t>(l.G) * l.C * l.P * l.Q;
  return Cycles{elements, elements, elements, 3 * elements};
}

// Over the C channels of each place. Parameters: gain and bias, four bytes each, a channel.
template <int Lanes, int RowMax>
Cycles layer_norm(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  static std::int64_t row[RowMax];
  for (int p = 0; p < l.P; ++p) {
    for (int q = 0; q < l.Q; ++q) {
      std::int64_t total = 0;
      std::int64_t squares = 0;
      for (int c = 0; c < l.C; ++c) {
        CD_HLS(PIPELINE II = 1)
        row[c] = read_tensor<Lanes>(memory, x, c, p, q);
        total += row[c];
        squares += row[c] * row[c];
      }
      const std::int64_t variance = l.C * squares - total * total + l.epsilon;
      const int k = (62 - bit_length(variance)) >> 1;
      const std::int64_t root = integer_sqrt(variance << (2 * k));
      const std::int64_t reciprocal = variance > 0 ? (std::int64_t{1} << 61) / root : 0;
      for (int c = 0; c < l.C; ++c) {
        CD_HLS(PIPELINE II = 1)
        const std::int64_t deviation = l.C * row[c] - total;
        const std::int64_t normal = variance > 0 ? rescale(deviation * reciprocal, 1, 61 - kNormFraction - k) : 0;
        const std::int64_t gain = read_word<4>(memory, l.params + 8 * c);
        const std::int64_t bias = read_word<4>(memory, l.params + 8 * c + 4);
        write_tensor<Lanes>(memory, y, c, p, q, clamp(rescale(normal * gain + bias, 1, l.shift), l.low, l.high));
      }
    }
  }
  const std::uint64_t elements = static_cast<std::uint64_t>(l.C) * l.P * l.Q;
  return Cycles{elements, elements, elements, 2 * elements};
}

}  // namespace cd

#endif  // CD_NONLINEAR_H
