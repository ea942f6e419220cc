// Channel parallel, after NVDLA: every cycle takes one pixel, Rows input channels x Cols output channels; each column is
// a multiplier row with an adder tree. The weights of a tap stay for a stripe of pixels, whose sums live in a small
// assembly buffer until every channel and tap has been added.
#ifndef CD_CHANNEL_PARALLEL_H
#define CD_CHANNEL_PARALLEL_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits>
struct ChannelParallel : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::Wgt, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static constexpr int Stripe = 32;  // pixels that share one fetch of the weights

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int pixels = t.p * t.q;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int x0 = 0; x0 < pixels; x0 += Stripe) {
        const int length = min_of(Stripe, pixels - x0);
        Acc assembly[Stripe][Cols];
        CD_HLS(ARRAY_PARTITION variable = assembly complete dim = 2)
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            assembly[x][col] = t.first ? Acc{0} : ab[kb * pixels + x0 + x].lane[col];
          }
        }
        for (int r = 0; r < t.r; ++r) {
          for (int s = 0; s < t.s; ++s) {
            for (int c0 = 0; c0 < t.c; c0 += Rows) {
              stripe(t, ib, wb, kb, x0, length, r, s, c0, assembly);
              cycles += Rows + length;
            }
          }
        }
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            ab[kb * pixels + x0 + x].lane[col] = assembly[x][col];
          }
        }
        cycles += t.first ? length : 2 * length;
      }
    }
    return cycles;
  }

 private:
  static void stripe(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int x0, int length, int r, int s,
                     int c0, Acc (&assembly)[Stripe][Cols]) {
    Wgt w[Rows][Cols];
    CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
    T::load_weights(t, wb, kb, c0, r, s, w);
    Wgt by_column[Cols][Rows];  // each column's operands side by side: the leaves of its tree
    CD_HLS(ARRAY_PARTITION variable = by_column complete dim = 0)
    for (int col = 0; col < Cols; ++col) {
      for (int row = 0; row < Rows; ++row) by_column[col][row] = w[row][col];
    }
    for (int x = 0; x < length; ++x) {
      CD_HLS(PIPELINE II = 1)
      const int p = (x0 + x) / t.q;
      const int q = (x0 + x) % t.q;
      const ActWord& pixel =
          ib[T::input_word(t, c0, p * t.stride_h + r * t.dilation_h, q * t.stride_w + s * t.dilation_w)];
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        assembly[x][col] += tree(pixel, c0 % Lanes, by_column[col]);
      }
    }
  }

  // Products of one column, added as a tree.
  static Acc tree(const ActWord& pixel, int lane0, const Wgt (&w)[Rows]) {
    CD_HLS(INLINE)
    Acc sum = 0;
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(UNROLL)
      sum += static_cast<Acc>(pixel.lane[lane0 + row]) * static_cast<Acc>(w[row]);
    }
    return sum;
  }
};

}  // namespace cd

#endif  // CD_CHANNEL_PARALLEL_H
