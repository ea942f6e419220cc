// What a PE array is given: a tile, and the on-chip buffers that it addresses as the RTL's arrays do (cd_types_pkg.sv).
//
// Input word  ib_base + (c / Lanes * in_h + row) * in_w + col   holds Lanes channels of a pixel, 0 outside in_h x in_w.
// Accumulator word ab_base + (k / Lanes * p + row) * q + col    holds Lanes output channels of a pixel.
// Weight words of Cols output channels come in the order of accel_models/program/packing.py, each array's own.
//
// Each array is a class in a header of its own with one function,
//   static std::uint64_t compute(const Tile&, const ActWord*, const WgtWord*, AccWord*)
// whose loops are the dataflow. It returns the iterations of its pipelined loops: its cycles at an initiation interval
// of one.
#ifndef CD_TILE_H
#define CD_TILE_H

#include "cd_descriptor.h"

namespace cd {

template <typename Element, int Count>
struct Word {
  Element lane[Count];
};

// A signed element of packed bytes, the first in the low bits.
template <int Bits>
inline int element_of(const std::uint8_t* bytes, int index) {
  CD_HLS(INLINE)
  if constexpr (Bits == 16) {
    return static_cast<std::int16_t>(bytes[2 * index] | (bytes[2 * index + 1] << 8));
  } else if constexpr (Bits == 8) {
    return static_cast<std::int8_t>(bytes[index]);
  } else {
    constexpr int per = 8 / Bits;
    const int part = (bytes[index / per] >> (index % per * Bits)) & ((1 << Bits) - 1);
    return part - ((part >> (Bits - 1)) << Bits);
  }
}

template <int Bits>
inline void put_element(std::uint8_t* bytes, int index, int value) {
  CD_HLS(INLINE)
  if constexpr (Bits == 16) {
    bytes[2 * index] = static_cast<std::uint8_t>(value);
    bytes[2 * index + 1] = static_cast<std::uint8_t>(value >> 8);
  } else if constexpr (Bits == 8) {
    bytes[index] = static_cast<std::uint8_t>(value);
  } else {
    constexpr int per = 8 / Bits;
    constexpr int mask = (1 << Bits) - 1;
    const int shift = index % per * Bits;
    std::uint8_t& byte = bytes[index / per];
    byte = static_cast<std::uint8_t>((byte & ~(mask << shift)) | ((value & mask) << shift));
  }
}

// A block of Rows input channels under one filter tap, and the first word of its weights.
struct Pass {
  int c0, r, s, word;
};

// The types that all arrays of one size share. PackingValue: most words of weights in a stored word. DualValue: two
// products with weights of half the width; a pass then has 2 * Cols output channels.
template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue, int DualValue>
struct ArrayTypes {
  static constexpr int Rows = RowsValue;
  static constexpr int Cols = ColsValue;
  static constexpr int Packing = PackingValue;
  static constexpr bool Dual = DualValue != 0;
  static constexpr int Sides = Dual ? 2 : 1;
  static constexpr int Lanes = max_of(RowsValue, ColsValue * Sides);
  static constexpr int ActivationBits = ActBits;
  static constexpr int WeightBits = WgtBits;
  static constexpr int AccumulatorBits = AccBits;
  using Act = sint_t<ActBits>;
  using Wgt = sint_t<WgtBits>;
  using Acc = sint_t<AccBits>;
  using ActWord = Word<Act, Lanes>;
  using WgtWord = Word<std::uint8_t, ColsValue * WgtBits / 8>;  // as stored: packed
  using AccWord = Word<Acc, Lanes>;
  using WgtRow = Wgt[Sides][Cols];  // weights of one input channel; the second half where they come in pairs

  // Output channels of a pass.
  static int width(const Tile& t) { return Dual && t.dual ? 2 * Cols : Cols; }

  static ActWord pixel(const Tile& t, const ActWord* ib, int channel, int row, int col) {
    CD_HLS(INLINE)
    if (row < 0 || row >= t.in_h || col < 0 || col >= t.in_w) return ActWord{};
    return ib[t.ib_base + (channel / Lanes * t.in_h + row) * t.in_w + col];
  }
  // The pixel under filter tap (r, s) of output pixel (p, q).
  static ActWord tap_pixel(const Tile& t, const ActWord* ib, int channel, int p, int q, int r, int s) {
    CD_HLS(INLINE)
    return pixel(t, ib, channel, p * t.stride_h + r * t.dilation_h - t.pad_top,
                 q * t.stride_w + s * t.dilation_w - t.pad_left);
  }
  // First lane and first accumulator word of the output channels from k0 on.
  static int acc_lane(int k0) { return k0 % Lanes; }
  static int acc_word(const Tile& t, int k0) { return t.ab_base + k0 / Lanes * t.p * t.q; }

  // Word of weights `word` of the tile.
  static void load_weights(const Tile& t, const WgtWord* wb, int word, WgtRow& w) {
    CD_HLS(INLINE)
    const int at = t.wb_base + word;
    const std::uint8_t* stored = wb[at >> t.narrow].lane;
    const int part = at & ((1 << t.narrow) - 1);
    if constexpr (Dual) {
      if (t.dual) {
        if (Packing > 2 && t.narrow == 1) {
          load_pairs<max_of(WgtBits / 4, 2)>(stored, part, w);
        } else {
          load_pairs<WgtBits / 2>(stored, 0, w);
        }
        return;
      }
    }
    if (Packing > 2 && t.narrow == 2) {
      load_row<max_of(WgtBits / 4, 2)>(stored, part, w);
    } else if (Packing > 1 && t.narrow == 1) {
      load_row<WgtBits / 2>(stored, part, w);
    } else {
      load_row<WgtBits>(stored, 0, w);
    }
  }

  // The n-th pass of the block'th block of output channels, of arrays whose weights lie pass by pass: input channels
  // outermost, then filter rows and columns; where taps are skipped, those that are kept, each named by a header word.
  static int passes(const Tile& t) { return ceil_div(t.c, Rows) * (t.kept != 0 ? t.kept : t.r * t.s); }
  static Pass pass_at(const Tile& t, const WgtWord* wb, int block, int n) {
    const int taps = t.kept != 0 ? t.kept : t.r * t.s;
    const int tap = n % taps;
    const int word = (block * passes(t) + n) * (Rows + (t.kept != 0 ? 1 : 0));
    if (t.kept == 0) return Pass{n / taps * Rows, tap / t.s, tap % t.s, word};
    WgtRow header;
    load_weights(t, wb, word, header);
    return Pass{n / taps * Rows, header[0][1] & 3, header[0][0] & 3, word + 1};
  }

  // One multiplication for both: the lower weight's product in the lower Shift bits, made non-negative by a constant.
  static void multiply_pair(Acc value, Wgt low, Wgt high, Acc& sum, Acc& upper) {
    CD_HLS(INLINE)
    constexpr int Shift = ActBits + WgtBits / 2;
    constexpr std::int64_t half = std::int64_t{1} << (Shift - 1);
    const std::int64_t operand = static_cast<std::int64_t>(high) * (2 * half) + low;
    const std::int64_t product = static_cast<std::int64_t>(value) * operand + half;
    sum += static_cast<Acc>((product & (2 * half - 1)) - half);
    upper += static_cast<Acc>(product >> Shift);
  }

 private:
  template <int Bits>
  static void load_row(const std::uint8_t* stored, int part, WgtRow& w) {
    CD_HLS(INLINE)
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      w[0][col] = static_cast<Wgt>(element_of<Bits>(stored, part * Cols + col));
    }
  }
  // Columns j and Cols + j share a multiplier and lie side by side.
  template <int Bits>
  static void load_pairs(const std::uint8_t* stored, int part, WgtRow& w) {
    CD_HLS(INLINE)
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      w[0][col] = static_cast<Wgt>(element_of<Bits>(stored, 2 * (part * Cols + col)));
      w[Sides - 1][col] = static_cast<Wgt>(element_of<Bits>(stored, 2 * (part * Cols + col) + 1));
    }
  }
};

}  // namespace cd

#endif  // CD_TILE_H
