// Channel parallel, after NVDLA: every cycle takes one pixel, Rows input channels x Cols output channels; each column is
// a multiplier row with an adder tree. The weights of a tap stay for a stripe of pixels, while the next tap's are
// fetched; the stripe's sums live in a small assembly buffer until every channel and tap has been added.
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
        cycles += stripe(t, ib, wb, kb, x0, length, assembly);
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
  static std::uint64_t stripe(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int x0, int length,
                              Acc (&assembly)[Stripe][Cols]) {
    Wgt w[2][Rows][Cols];
    CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
    Tap tap{0, 0, 0};
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(PIPELINE II = 1)
      T::load_row(t, wb, kb, tap, row, w[0][row]);
    }
    std::uint64_t cycles = Rows;
    bool more = true;
    for (int turn = 0; more; turn = 1 - turn) {
      Tap next = tap;
      more = next.advance(t, Rows);
      const int steps = more ? max_of(length, Rows) : length;
      for (int x = 0; x < steps; ++x) {
        CD_HLS(PIPELINE II = 1)
        if (x < Rows && more) T::load_row(t, wb, kb, next, x, w[1 - turn][x]);
        if (x < length) {
          const int p = (x0 + x) / t.q;
          const int q = (x0 + x) % t.q;
          const ActWord& pixel = ib[T::input_word(t, tap.c0, p * t.stride_h + tap.r * t.dilation_h,
                                                  q * t.stride_w + tap.s * t.dilation_w)];
          trees(pixel, tap.c0 % Lanes, w[turn], assembly[x]);
        }
      }
      cycles += steps;
      tap = next;
    }
    return cycles;
  }

  // Every column's products, added as a tree: neighbours first, then pairs of pairs.
  static void trees(const ActWord& pixel, int lane0, const Wgt (&w)[Rows][Cols], Acc (&sum)[Cols]) {
    CD_HLS(INLINE)
    Acc level[Rows][Cols];
    CD_HLS(ARRAY_PARTITION variable = level complete dim = 0)
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(UNROLL)
      const Acc value = pixel.lane[lane0 + row];
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        level[row][col] = value * static_cast<Acc>(w[row][col]);
      }
    }
    for (int half = Rows / 2; half >= 1; half /= 2) {
      CD_HLS(UNROLL)
      for (int row = 0; row < half; ++row) {
        CD_HLS(UNROLL)
        for (int col = 0; col < Cols; ++col) {
          CD_HLS(UNROLL)
          level[row][col] = level[2 * row][col] + level[2 * row + 1][col];
        }
      }
    }
    for (int col = 0; col < Cols; ++col) {
      CD_HLS(UNROLL)
      sum[col] += level[0][col];
    }
  }
};

}  // namespace cd

#endif  // CD_CHANNEL_PARALLEL_H
