// Channel parallel, after NVDLA: every cycle takes one pixel, Rows input channels x Cols output channels; each column
// is a multiplier row with an adder tree. The weights of a tap stay for a stripe of pixels, while the next tap's are
// fetched; the stripe's sums live in a small assembly buffer until every channel and tap has been added. With Dual a
// multiplication by two narrow weights in one operand gives two products, and a second set of trees adds the upper
// ones.
#ifndef CD_CHANNEL_PARALLEL_H
#define CD_CHANNEL_PARALLEL_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue, int DualValue>
struct ChannelParallel : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, DualValue> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, DualValue>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtRow, typename T::WgtWord;
  using T::Cols, T::Dual, T::Lanes, T::Rows, T::Sides;

  static constexpr int Stripe = 32;  // pixels that share one fetch of the weights

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int pixels = t.p * t.q;
    const int width = T::width(t);
    for (int kb = 0; kb < ceil_div(t.k, width); ++kb) {
      const int lane = T::acc_lane(kb * width);
      for (int x0 = 0; x0 < pixels; x0 += Stripe) {
        const int length = min_of(Stripe, pixels - x0);
        AccWord* acc = ab + T::acc_word(t, kb * width) + x0;
        Acc assembly[Stripe][Sides * Cols];
        CD_HLS(ARRAY_PARTITION variable = assembly complete dim = 2)
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < width; ++col) {
            CD_HLS(UNROLL)
            assembly[x][col] = t.accumulate ? acc[x].lane[lane + col] : Acc{0};
          }
        }
        cycles += stripe(t, ib, wb, kb, x0, length, assembly);
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < width; ++col) {
            CD_HLS(UNROLL)
            acc[x].lane[lane + col] = assembly[x][col];
          }
        }
        cycles += t.accumulate ? 2 * length : length;
      }
    }
    return cycles;
  }

 private:
  static std::uint64_t stripe(const Tile& t, const ActWord* ib, const WgtWord* wb, int kb, int x0, int length,
                              Acc (&assembly)[Stripe][Sides * Cols]) {
    WgtRow w[2][Rows];
    CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
    const int passes = T::passes(t);
    Pass pass = T::pass_at(t, wb, kb, 0);
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(PIPELINE II = 1)
      T::load_weights(t, wb, pass.word + row, w[0][row]);
    }
    std::uint64_t cycles = Rows;
    for (int n = 0; n < passes; ++n) {
      const bool more = n + 1 < passes;
      const Pass next = T::pass_at(t, wb, kb, more ? n + 1 : n);
      const int steps = more ? max_of(length, Rows) : length;
      for (int x = 0; x < steps; ++x) {
        CD_HLS(PIPELINE II = 1)
        if (x < Rows && more) T::load_weights(t, wb, next.word + x, w[1 - n % 2][x]);
        if (x < length) {
          const int p = (x0 + x) / t.q;
          const int q = (x0 + x) % t.q;
          const ActWord pixel = T::tap_pixel(t, ib, pass.c0, p, q, pass.r, pass.s);
          trees(pixel, pass.c0 % Lanes, w[n % 2], Dual && t.dual, assembly[x]);
        }
      }
      cycles += steps;
      pass = next;
    }
    return cycles;
  }

  // Every column's products, added as a tree: neighbours first, then pairs of pairs.
  static void trees(const ActWord& pixel, int lane0, const WgtRow (&w)[Rows], bool dual, Acc (&sum)[Sides * Cols]) {
    CD_HLS(INLINE)
    Acc level[Rows][Sides * Cols];
    CD_HLS(ARRAY_PARTITION variable = level complete dim = 0)
    for (int row = 0; row < Rows; ++row) {
      CD_HLS(UNROLL)
      const Acc value = pixel.lane[lane0 + row];
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        if (Dual && dual) {
          level[row][col] = level[row][col + (Sides - 1) * Cols] = 0;
          T::multiply_pair(value, w[row][0][col], w[row][Sides - 1][col], level[row][col],
                           level[row][col + (Sides - 1) * Cols]);
        } else {
          level[row][col] = value * static_cast<Acc>(w[row][0][col]);
        }
      }
    }
    const int width = dual ? Sides * Cols : Cols;
    for (int half = Rows / 2; half >= 1; half /= 2) {
      CD_HLS(UNROLL)
      for (int row = 0; row < half; ++row) {
        CD_HLS(UNROLL)
        for (int col = 0; col < width; ++col) {
          CD_HLS(UNROLL)
          level[row][col] = level[2 * row][col] + level[2 * row + 1][col];
        }
      }
    }
    for (int col = 0; col < width; ++col) {
      CD_HLS(UNROLL)
      sum[col] += level[0][col];
    }
  }
};

}  // namespace cd

#endif  // CD_CHANNEL_PARALLEL_H
