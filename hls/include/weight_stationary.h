// Weight stationary, after the TPU and Gemmini: a Rows x Cols block of one tap's weights stays in the PEs while every
// pixel of the tile passes by; meanwhile the next tap's weights shift in behind them. Rows are input channels, columns
// output channels; partial sums leave by the columns and are added in the accumulators.
#ifndef CD_WEIGHT_STATIONARY_H
#define CD_WEIGHT_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits>
struct WeightStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::Wgt, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int pixels = t.p * t.q;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      Wgt w[2][Rows][Cols];
      CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
      Tap tap{0, 0, 0};
      for (int row = 0; row < Rows; ++row) {
        CD_HLS(PIPELINE II = 1)
        T::load_row(t, wb, kb, tap, row, w[0][row]);
      }
      cycles += Rows;
      bool more = true;
      for (int turn = 0; more; turn = 1 - turn) {
        Tap next = tap;
        more = next.advance(t, Rows);
        const bool overwrite = t.first && tap.c0 == 0 && tap.r == 0 && tap.s == 0;
        const int length = more ? max_of(pixels, Rows) : pixels;
        int p = 0;
        int q = 0;
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          if (x < Rows && more) T::load_row(t, wb, kb, next, x, w[1 - turn][x]);
          if (x < pixels) {
            const ActWord& word = ib[T::input_word(t, tap.c0, p * t.stride_h + tap.r * t.dilation_h,
                                                   q * t.stride_w + tap.s * t.dilation_w)];
            step(word, tap.c0 % Lanes, w[turn], overwrite, ab[T::acc_word(t, kb, p, q)]);
            if (++q == t.q) {
              q = 0;
              ++p;
            }
          }
        }
        cycles += length;
        tap = next;
      }
    }
    return cycles;
  }

 private:
  // One wave through the array: every PE multiplies, every column adds.
  static void step(const ActWord& x, int lane0, const Wgt (&w)[Rows][Cols], bool overwrite, AccWord& acc) {
    CD_HLS(INLINE)
    Acc sum[Cols];
    CD_HLS(ARRAY_PARTITION variable = sum complete)
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      sum[col] = overwrite ? Acc{0} : acc.lane[col];
    }
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(UNROLL)
      const Acc value = x.lane[lane0 + row];
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        sum[col] += value * static_cast<Acc>(w[row][col]);
      }
    }
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      acc.lane[col] = sum[col];
    }
  }
};

}  // namespace cd

#endif  // CD_WEIGHT_STATIONARY_H
