// FPGA loop tile, after Zhang 2015: Tm = Cols output and Tn = Rows input channels in parallel; on chip the taps are
// outermost and the pixels of the Tr x Tc tile innermost, so that a tap's weights serve the whole tile, the next tap's
// being fetched meanwhile, and every cycle adds to the accumulators. With Dual a multiplication by both weights in one
// operand gives two products with weights of half the width, so that two blocks of Cols output channels take the
// cycles of one.
#ifndef CD_LOOP_TILE_H
#define CD_LOOP_TILE_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue, int DualValue>
struct LoopTile : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, DualValue> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, DualValue>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtRow, typename T::WgtWord;
  using T::Cols, T::Dual, T::Lanes, T::Rows, T::Sides;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int width = T::width(t);
    const int passes = T::passes(t);
    for (int to = 0; to < ceil_div(t.k, width); ++to) {
      AccWord* acc = ab + T::acc_word(t, to * width);
      const int lane = T::acc_lane(to * width);
      WgtRow w[2][Rows];
      CD_HLS(ARRAY_PARTITION variable = w complete dim = 0)
      Pass pass = T::pass_at(t, wb, to, 0);
      for (int tn = 0; tn < Rows; ++tn) {
        CD_HLS(PIPELINE II = 1)
        T::load_weights(t, wb, pass.word + tn, w[0][tn]);
      }
      cycles += Rows;
      for (int n = 0; n < passes; ++n) {
        const bool more = n + 1 < passes;
        const Pass next = T::pass_at(t, wb, to, more ? n + 1 : n);
        const bool overwrite = !t.accumulate && n == 0;
        const int length = more ? max_of(t.p * t.q, Rows) : t.p * t.q;
        for (int at = 0, trr = 0, tcc = 0; at < length; ++at) {
          CD_HLS(PIPELINE II = 1)
          if (at < Rows && more) T::load_weights(t, wb, next.word + at, w[1 - n % 2][at]);
          if (trr < t.p) {
            const ActWord x = T::tap_pixel(t, ib, pass.c0, trr, tcc, pass.r, pass.s);
            add(x, pass.c0 % Lanes, w[n % 2], Dual && t.dual, overwrite, acc[at].lane + lane);
            if (++tcc == t.q) {
              tcc = 0;
              ++trr;
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
  static void add(const ActWord& x, int lane0, const WgtRow (&w)[Rows], bool dual, bool overwrite, Acc* acc) {
    CD_HLS(INLINE)
    Acc sum[Cols], upper[Cols];
    CD_HLS(ARRAY_PARTITION variable = sum complete)
    CD_HLS(ARRAY_PARTITION variable = upper complete)
    for (int tm = 0; tm < Cols; ++tm) {
      CD_HLS(UNROLL)
      sum[tm] = overwrite ? Acc{0} : acc[tm];
      upper[tm] = overwrite || !dual ? Acc{0} : acc[Cols + tm];
    }
    for (int tn = 0; tn < Rows; ++tn) {
      CD_HLS(UNROLL)
      const Acc value = x.lane[lane0 + tn];
      for (int tm = 0; tm < Cols; ++tm) {
        CD_HLS(UNROLL)
        if (Dual && dual) {
          T::multiply_pair(value, w[tn][0][tm], w[tn][Sides - 1][tm], sum[tm], upper[tm]);
        } else {
          sum[tm] += value * static_cast<Acc>(w[tn][0][tm]);
        }
      }
    }
    for (int tm = 0; tm < Cols; ++tm) {
      CD_HLS(UNROLL)
      acc[tm] = sum[tm];
      if (dual) acc[Cols + tm] = upper[tm];
    }
  }
};

}  // namespace cd

#endif  // CD_LOOP_TILE_H
