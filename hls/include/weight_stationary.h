// Weight stationary, after the TPU and Gemmini: a Rows x Cols block of one tap's weights stays in the PEs while every
// pixel of the tile passes by. Rows are input channels, columns output channels; partial sums leave by the columns and
// are added in the accumulators.
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
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int c0 = 0; c0 < t.c; c0 += Rows) {
        for (int r = 0; r < t.r; ++r) {
          for (int s = 0; s < t.s; ++s) {
            Wgt w[Rows][Cols];
            CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
            T::load_weights(t, wb, kb, c0, r, s, w);
            cycles += Rows;
            const bool overwrite = t.first && c0 == 0 && r == 0 && s == 0;
            for (int p = 0; p < t.p; ++p) {
              for (int q = 0; q < t.q; ++q) {
                CD_HLS(PIPELINE II = 1)
                const ActWord& x = ib[T::input_word(t, c0, p * t.stride_h + r * t.dilation_h,
                                                    q * t.stride_w + s * t.dilation_w)];
                step(x, c0 % Lanes, w, overwrite, ab[T::acc_word(t, kb, p, q)]);
              }
            }
            cycles += static_cast<std::uint64_t>(t.p) * t.q;
          }
        }
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
