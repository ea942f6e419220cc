// Non-linear operators in integers, after I-BERT (Kim 2021): second-order polynomials, one division or root a row.
// Results are left in the accumulators: softmax's values, a layer norm's normalised value, GELU's product; post-
// processing does the rest.
#ifndef CD_NONLINEAR_H
#define CD_NONLINEAR_H

#include "cd_tile.h"

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

inline std::int64_t gelu(std::int64_t x, const Constants& c) {
  CD_HLS(INLINE)
  const std::int64_t scaled = ((x < 0 ? -x : x) * c.arg_mult) >> c.arg_shift;
  const std::int64_t v = kErfB - (scaled < kErfB ? scaled : kErfB);
  const std::int64_t one = 1 << kErfFraction;
  const std::int64_t erf = one - ((v * v * kErfA) >> (2 * kErfFraction));
  return x * (x >= 0 ? one + erf : one - erf);
}

template <typename Array>
class NonlinearUnit {
  using Acc = typename Array::Acc;
  using ActWord = typename Array::ActWord;
  using WgtWord = typename Array::WgtWord;
  using AccWord = typename Array::AccWord;
  static constexpr int Lanes = Array::Lanes;

  // A row: the c channels of one pixel. First word of its input, of its mask and of its sums; a word every `stride`.
  struct Row {
    int x, mask, y, channels, stride;
    bool masked;
  };

 public:
  static std::uint64_t compute(int op, const Tile& t, const Constants& c, const ActWord* ib, const WgtWord* wb,
                               AccWord* ab) {
    const int pixels = t.p * t.q;
    const int words = ceil_div(t.c, Lanes);
    if (op == kGelu) {
      for (int word = 0; word < pixels * words; ++word) {
        CD_HLS(PIPELINE II = 1)
        for (int lane = 0; lane < Lanes; ++lane) {
          CD_HLS(UNROLL)
          ab[t.ab_base + word].lane[lane] = static_cast<Acc>(gelu(ib[t.ib_base + word].lane[lane], c));
        }
      }
      return static_cast<std::uint64_t>(pixels) * words;
    }
    for (int at = 0; at < pixels; ++at) {
      const Row row{t.ib_base + at, t.wb_base + at * words, t.ab_base + at, t.c, pixels, c.masked};
      if (op == kSoftmax) {
        softmax(row, c, ib, wb, ab);
      } else {
        layer_norm(row, c, ib, ab);
      }
    }
    return static_cast<std::uint64_t>(op == kSoftmax ? 3 : 2) * pixels * words;
  }

 private:
  static void softmax(const Row& row, const Constants& c, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    const int words = ceil_div(row.channels, Lanes);
    const auto takes = [&](int word, int lane) {
      if (word * Lanes + lane >= row.channels) return false;
      return !row.masked || ((wb[row.mask + word].lane[lane / 8] >> (lane % 8)) & 1) != 0;
    };
    std::int64_t top = INT32_MIN;
    for (int word = 0; word < words; ++word) {
      CD_HLS(PIPELINE II = 1)
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        const std::int64_t x = ib[row.x + word * row.stride].lane[lane];
        if (takes(word, lane) && x > top) top = x;
      }
    }
    const auto exponential = [&](int word, int lane) {
      if (!takes(word, lane)) return std::int64_t{0};
      const std::int64_t t = ((top - ib[row.x + word * row.stride].lane[lane]) * c.arg_mult) >> c.arg_shift;
      return exp2_negative(t < INT32_MAX ? t : INT32_MAX);
    };
    std::int64_t total = 0;
    for (int word = 0; word < words; ++word) {
      CD_HLS(PIPELINE II = 1)
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        total += exponential(word, lane);
      }
    }
    const std::int64_t reciprocal = total > 0 ? (std::int64_t{1} << kReciprocalBits) / total : 0;
    for (int word = 0; word < words; ++word) {
      CD_HLS(PIPELINE II = 1)
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        const std::int64_t share = rescale(exponential(word, lane) * reciprocal, 1, c.shift);
        ab[row.y + word * row.stride].lane[lane] = static_cast<Acc>(share);
      }
    }
  }

  static void layer_norm(const Row& row, const Constants& c, const ActWord* ib, AccWord* ab) {
    const int words = ceil_div(row.channels, Lanes);
    std::int64_t total = 0;
    std::int64_t squares = 0;
    for (int word = 0; word < words; ++word) {
      CD_HLS(PIPELINE II = 1)
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        const bool there = word * Lanes + lane < row.channels;
        const std::int64_t x = there ? ib[row.x + word * row.stride].lane[lane] : 0;
        total += x;
        squares += x * x;
      }
    }
    const std::int64_t variance = row.channels * squares - total * total + c.epsilon;
    const int k = (62 - bit_length(variance)) >> 1;
    const std::int64_t root = integer_sqrt(variance << (2 * k));
    const std::int64_t reciprocal = variance > 0 ? (std::int64_t{1} << 61) / root : 0;
    for (int word = 0; word < words; ++word) {
      CD_HLS(PIPELINE II = 1)
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        const std::int64_t x = ib[row.x + word * row.stride].lane[lane];
        const std::int64_t normal = rescale((row.channels * x - total) * reciprocal, 1, 61 - kNormFraction - k);
        ab[row.y + word * row.stride].lane[lane] = static_cast<Acc>(normal);
      }
    }
  }
};

}  // namespace cd

#endif  // CD_NONLINEAR_H
