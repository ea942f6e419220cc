// Output stationary, after ShiDianNao: Rows pixels of an output row x Cols output channels keep their partial sums in
// the PEs until every tap and channel of the tile has passed. A row's pixel is held and its channels go by one a cycle;
// the weights of that channel are broadcast down the columns.
#ifndef CD_OUTPUT_STATIONARY_H
#define CD_OUTPUT_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits>
struct OutputStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int p = 0; p < t.p; ++p) {
        for (int q0 = 0; q0 < t.q; q0 += Rows) {
          const int pixels = min_of(Rows, t.q - q0);
          Acc sum[Rows][Cols];
          CD_HLS(ARRAY_PARTITION variable = sum complete dim = 0)
          for (int row = 0; row < Rows; ++row) {
            CD_HLS(PIPELINE II = 1)
            const int word = T::acc_word(t, kb, p, q0 + min_of(row, pixels - 1));
            for (int col = 0; col < Cols; ++col) {
              CD_HLS(UNROLL)
              sum[row][col] = t.first ? Acc{0} : ab[word].lane[col];
            }
          }
          cycles += t.first ? 1 : Rows;
          for (int r = 0; r < t.r; ++r) {
            for (int s = 0; s < t.s; ++s) {
              for (int c0 = 0; c0 < t.c; c0 += Lanes) {
                cycles += taps(t, ib, wb, kb, p, q0, pixels, r, s, c0, sum);
              }
            }
          }
          for (int row = 0; row < pixels; ++row) {
            CD_HLS(PIPELINE II = 1)
            for (int col = 0; col < Cols; ++col) {
              CD_HLS(UNROLL)
              ab[T::acc_word(t, kb, p, q0 + row)].lane[col] = sum[row][col];
            }
          }
          cycles += pixels;
        }
      }
    }
    return cycles;
  }

 private:
  // One tap of Lanes channels: the pixels shift in, then one channel a cycle.
  static std::uint64_t taps(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int p, int q0, int pixels,
                            int r, int s, int c0, Acc (&sum)[Rows][Cols]) {
    ActWord held[Rows];
    CD_HLS(ARRAY_PARTITION variable = held complete dim = 0)
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(PIPELINE II = 1)
      const int q = q0 + min_of(row, pixels - 1);
      held[row] = ib[T::input_word(t, c0, p * t.stride_h + r * t.dilation_h, q * t.stride_w + s * t.dilation_w)];
    }
    const int channels = min_of(Lanes, t.c - c0);
    for (int c = 0; c < channels; ++c) {
      CD_HLS(PIPELINE II = 1)
      const WgtWord& w = wb[T::weight_word(t, kb, c0 + c, r, s)];
      for (int row = 0; row < Rows; ++row) {
        CD_HLS(UNROLL)
        const Acc value = held[row].lane[c];
        for (int col = 0; col < Cols; ++col) {
          CD_HLS(UNROLL)
          sum[row][col] += value * static_cast<Acc>(w.lane[col]);
        }
      }
    }
    return static_cast<std::uint64_t>(Rows) + channels;
  }
};

}  // namespace cd

#endif  // CD_OUTPUT_STATIONARY_H
