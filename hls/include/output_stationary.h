// Output stationary, after ShiDianNao: Rows pixels of the tile x Cols output channels keep their partial sums in
// the PEs until every tap and channel of the tile has passed. A row's pixel is held and its channels go by one a cycle,
// while the next tap's pixels shift in; the weights of that channel are broadcast down the columns.
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
      for (int x0 = 0; x0 < t.p * t.q; x0 += Rows) {
        const int pixels = min_of(Rows, t.p * t.q - x0);
        const int word0 = T::acc_word(t, kb, 0, 0) + x0;
        Acc sum[Rows][Cols];
        CD_HLS(ARRAY_PARTITION variable = sum complete dim = 0)
        for (int row = 0; row < Rows; ++row) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            sum[row][col] = t.first ? Acc{0} : ab[word0 + min_of(row, pixels - 1)].lane[col];
          }
        }
        cycles += t.first ? 1 : Rows;
        cycles += taps(t, ib, wb, kb, x0, pixels, sum);
        for (int row = 0; row < pixels; ++row) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            ab[word0 + row].lane[col] = sum[row][col];
          }
        }
        cycles += pixels;
      }
    }
    return cycles;
  }

 private:
  // Every tap, Lanes channels at a time, one channel a cycle.
  static std::uint64_t taps(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int x0, int pixels,
                            Acc (&sum)[Rows][Cols]) {
    ActWord held[2][Rows];
    CD_HLS(ARRAY_PARTITION variable = held complete dim = 0)
    const auto pixel = [&](const Tap& tap, int row) -> const ActWord& {
      const int x = x0 + min_of(row, pixels - 1);
      const int p = x / t.q;
      const int q = x % t.q;
      return ib[T::input_word(t, tap.c0, p * t.stride_h + tap.r * t.dilation_h,
                              q * t.stride_w + tap.s * t.dilation_w)];
    };
    Tap tap{0, 0, 0};
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(PIPELINE II = 1)
      held[0][row] = pixel(tap, row);
    }
    std::uint64_t cycles = Rows;
    bool more = true;
    for (int turn = 0; more; turn = 1 - turn) {
      Tap next = tap;
      more = next.advance(t, Lanes);
      const int channels = min_of(Lanes, t.c - tap.c0);
      const int length = more ? max_of(channels, Rows) : channels;
      for (int c = 0; c < length; ++c) {
        CD_HLS(PIPELINE II = 1)
        if (c < Rows && more) held[1 - turn][c] = pixel(next, c);
        if (c < channels) {
          const WgtWord& w = wb[T::weight_word(t, kb, tap.c0 + c, tap.r, tap.s)];
          for (int row = 0; row < Rows; ++row) {
            CD_HLS(UNROLL)
            const Acc value = held[turn][row].lane[c];
            for (int col = 0; col < Cols; ++col) {
              CD_HLS(UNROLL)
              sum[row][col] += value * static_cast<Acc>(w.lane[col]);
            }
          }
        }
      }
      cycles += length;
      tap = next;
    }
    return cycles;
  }
};

}  // namespace cd

#endif  // CD_OUTPUT_STATIONARY_H
