// What a PE array is given: one tile of a convolution, in words of the on-chip buffers.
//
// Input word  (c / Lanes * in_h + row) * in_w + col   holds Lanes channels of a pixel; padding is stored as zeros.
// Weight word ((k / Cols * c + ci) * r + ri) * s + si holds Cols output channels of one tap.
// Accumulator word (k / Cols * p + pi) * q + qi       holds Cols output channels of a pixel.
//
// Each array is a class in a header of its own with one function,
//   static std::uint64_t compute(const Tile&, const ActWord*, const WgtWord*, AccWord*)
// whose loops are the dataflow. It returns the iterations of its pipelined loops: its cycles at an initiation interval
// of one.
#ifndef CD_TILE_H
#define CD_TILE_H

#include "cd_int.h"

namespace cd {

struct Tile {
  int k, c, p, q, r, s;  // extents of this tile
  int stride_h, stride_w, dilation_h, dilation_w;
  int in_h, in_w;  // rows and columns of the stored input
  bool first;      // overwrite the accumulators; else add to them
  bool pairs;      // weights of half the width or less: two products a multiplication, where the array has that
};

// A filter position and a block of input channels, in the order in which an array takes them.
struct Tap {
  int c0, r, s;

  // The one after: positions first, then channels. False after the last.
  bool advance(const Tile& t, int channels) {
    if (++s < t.s) return true;
    s = 0;
    if (++r < t.r) return true;
    r = 0;
    c0 += channels;
    return c0 < t.c;
  }
};

template <typename Element, int Count>
struct Word {
  Element lane[Count];
};

// The types that all arrays of one size share.
template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits>
struct ArrayTypes {
  static constexpr int Rows = RowsValue;
  static constexpr int Cols = ColsValue;
  static constexpr int Lanes = max_of(RowsValue, ColsValue);
  static constexpr int WeightBits = WgtBits;
  using Act = sint_t<ActBits>;
  using Wgt = sint_t<WgtBits>;
  using Acc = sint_t<AccBits>;
  using ActWord = Word<Act, Lanes>;
  using WgtWord = Word<Wgt, Cols>;
  using AccWord = Word<Acc, Cols>;

  static int input_word(const Tile& t, int channel, int row, int col) {
    return (channel / Lanes * t.in_h + row) * t.in_w + col;
  }
  static int weight_word(const Tile& t, int k_block, int c, int r, int s) {
    return ((k_block * t.c + c) * t.r + r) * t.s + s;
  }
  static int acc_word(const Tile& t, int k_block, int p, int q) { return (k_block * t.p + p) * t.q + q; }

  // One row of a tap's weights into its registers; channels beyond the tile are 0.
  static void load_row(const Tile& t, const WgtWord* wb, int k_block, const Tap& tap, int row, Wgt (&w)[Cols]) {
    CD_HLS(INLINE)
    const bool inside = tap.c0 + row < t.c;
    const int address = weight_word(t, k_block, inside ? tap.c0 + row : 0, tap.r, tap.s);
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      w[col] = inside ? wb[address].lane[col] : Wgt{0};
    }
  }
};

}  // namespace cd

#endif  // CD_TILE_H
