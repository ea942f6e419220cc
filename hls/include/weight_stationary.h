// Weight stationary, after the TPU and Gemmini: a Rows x Cols block of one tap's weights stays in the PEs while every
// pixel of the tile passes by; meanwhile the next tap's weights shift in behind them. Rows are input channels, columns
// output channels; partial sums leave by the columns and are added in the accumulators.
#ifndef CD_WEIGHT_STATIONARY_H
#define CD_WEIGHT_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue>
struct WeightStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtRow, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int pixels = t.p * t.q;
    const int passes = T::passes(t);
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      AccWord* acc = ab + T::acc_word(t, kb * Cols);
      const int lane = T::acc_lane(kb * Cols);
      WgtRow w[2][Rows];
      CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
      Pass pass = T::pass_at(t, wb, kb, 0);
      for (int row = 0; row < Rows; ++row) {
        CD_HLS(PIPELINE II = 1)
        T::load_weights(t, wb, pass.word + row, w[0][row]);
      }
      cycles += Rows;
      for (int n = 0; n < passes; ++n) {
        const bool more = n + 1 < passes;
        const Pass next = T::pass_at(t, wb, kb, more ? n + 1 : n);
        const bool overwrite = !t.accumulate && n == 0;
        const int length = more ? max_of(pixels, Rows) : pixels;
        int p = 0;
        int q = 0;
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          if (x < Rows && more) T::load_weights(t, wb, next.word + x, w[1 - n % 2][x]);
          if (x < pixels) {
            const ActWord word = T::tap_pixel(t, ib, pass.c0, p, q, pass.r, pass.s);
            step(word, pass.c0 % Lanes, w[n % 2], overwrite, acc[x].lane + lane);
            if (++q == t.q) {
              q = 0;
              ++p;
            }
          }
        }
        cycles += length;
        pass = next;
      }
    }
    return cycles;
  }

 private:
  // One wave through the array: every PE multiplies, every column adds.
  static void step(const ActWord& x, int lane0, const WgtRow (&w)[Rows], bool overwrite, Acc* acc) {
    CD_HLS(INLINE)
    Acc sum[Cols];
    CD_HLS(ARRAY_PARTITION variable = sum complete)
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      sum[col] = overwrite ? Acc{0} : acc[col];
    }
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(UNROLL)
      const Acc value = x.lane[lane0 + row];
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        sum[col] += value * static_cast<Acc>(w[row][0][col]);
      }
    }
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      acc[col] = sum[col];
    }
  }
};

}  // namespace cd

#endif  // CD_WEIGHT_STATIONARY_H
