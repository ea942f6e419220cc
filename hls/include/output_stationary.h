// Output stationary, after ShiDianNao: Rows pixels of the tile x Cols output channels keep their partial sums in
// the PEs until every tap and channel of the tile has passed. A row's pixel is held and its channels go by one a cycle,
// while the next tap's pixels shift in; the weights of that channel are broadcast down the columns.
#ifndef CD_OUTPUT_STATIONARY_H
#define CD_OUTPUT_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue>
struct OutputStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtRow, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int pixels = t.p * t.q;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      const int lane = T::acc_lane(kb * Cols);
      for (int x0 = 0; x0 < pixels; x0 += Rows) {
        const int count = min_of(Rows, pixels - x0);
        AccWord* acc = ab + T::acc_word(t, kb * Cols) + x0;
        Acc sum[Rows][Cols];
        CD_HLS(ARRAY_PARTITION variable = sum complete dim = 0)
        for (int row = 0; row < Rows; ++row) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            sum[row][col] = t.accumulate ? acc[min_of(row, count - 1)].lane[lane + col] : Acc{0};
          }
        }
        cycles += t.accumulate ? Rows : 1;
        cycles += taps(t, ib, wb, kb, x0, count, sum);
        for (int row = 0; row < count; ++row) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            acc[row].lane[lane + col] = sum[row][col];
          }
        }
        cycles += count;
      }
    }
    return cycles;
  }

 private:
  // A filter tap of a block of Lanes input channels.
  struct Tap {
    int c0, r, s;

    // The one after: positions first, then channels. False after the last.
    bool advance(const Tile& t) {
      if (++s < t.s) return true;
      s = 0;
      if (++r < t.r) return true;
      r = 0;
      c0 += Lanes;
      return c0 < t.c;
    }
  };

  // Every tap, Lanes channels at a time, one channel and one word of weights a cycle.
  static std::uint64_t taps(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int x0, int count,
                            Acc (&sum)[Rows][Cols]) {
    ActWord held[2][Rows];
    CD_HLS(ARRAY_PARTITION variable = held complete dim = 0)
    const auto pixel = [&](const Tap& tap, int row) {
      const int x = x0 + min_of(row, count - 1);
      return T::tap_pixel(t, ib, tap.c0, x / t.q, x % t.q, tap.r, tap.s);
    };
    Tap tap{0, 0, 0};
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(PIPELINE II = 1)
      held[0][row] = pixel(tap, row);
    }
    std::uint64_t cycles = Rows;
    int word = kb * t.c * t.r * t.s;
    bool more = true;
    for (int turn = 0; more; turn = 1 - turn) {
      Tap next = tap;
      more = next.advance(t);
      const int channels = min_of(Lanes, t.c - tap.c0);
      const int length = more ? max_of(channels, Rows) : channels;
      for (int c = 0; c < length; ++c) {
        CD_HLS(PIPELINE II = 1)
        if (c < Rows && more) held[1 - turn][c] = pixel(next, c);
        if (c < channels) {
          WgtRow w;
          T::load_weights(t, wb, word + c, w);
          for (int row = 0; row < Rows; ++row) {
            CD_HLS(UNROLL)
            const Acc value = held[turn][row].lane[c];
            for (int col = 0; col < Cols; ++col) {
              CD_HLS(UNROLL)
              sum[row][col] += value * static_cast<Acc>(w[0][col]);
            }
          }
        }
      }
      cycles += length;
      word += channels;
      tap = next;
    }
    return cycles;
  }
};

}  // namespace cd

#endif  // CD_OUTPUT_STATIONARY_H
