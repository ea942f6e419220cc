// FPGA loop tile, after Zhang 2015: Tm = Cols output and Tn = Rows input channels in parallel, straight out of partitioned
// buffers; on chip the taps are outermost and the pixels of the Tr x Tc tile innermost. Nothing but the tile itself
// stays: weights are read again in every cycle, from Rows banks. With Dual a multiplication by both weights in one operand
// gives two products with weights of half the width, so that two blocks of Cols output channels take the cycles of one.
#ifndef CD_LOOP_TILE_H
#define CD_LOOP_TILE_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int Dual>
struct LoopTile : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits>;
  using typename T::Acc, typename T::AccWord, typename T::ActWord, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int blocks = ceil_div(t.k, Cols);
    const int step = Dual != 0 && t.pairs ? 2 : 1;
    for (int to = 0; to < blocks; to += step) {
      const bool both = Dual != 0 && step == 2 && to + 1 < blocks;
      for (int ti = 0; ti < t.c; ti += Rows) {
        const int channels = min_of(Rows, t.c - ti);
        for (int i = 0; i < t.r; ++i) {
          for (int j = 0; j < t.s; ++j) {
            const bool overwrite = t.first && ti == 0 && i == 0 && j == 0;
            for (int trr = 0; trr < t.p; ++trr) {
              for (int tcc = 0; tcc < t.q; ++tcc) {
                CD_HLS(PIPELINE II = 1)
                const ActWord& x = ib[T::input_word(t, ti, trr * t.stride_h + i * t.dilation_h,
                                                    tcc * t.stride_w + j * t.dilation_w)];
                AccWord& acc = ab[T::acc_word(t, to, trr, tcc)];
                AccWord& next = ab[T::acc_word(t, both ? to + 1 : to, trr, tcc)];
                Acc sum[Cols], upper[Cols];
                CD_HLS(ARRAY_PARTITION variable = sum complete)
                CD_HLS(ARRAY_PARTITION variable = upper complete)
                for (int tm = 0; tm < Cols; ++tm) {
                  CD_HLS(UNROLL)
                  sum[tm] = overwrite ? Acc{0} : acc.lane[tm];
                  upper[tm] = overwrite ? Acc{0} : next.lane[tm];
                }
                for (int tn = 0; tn < Rows; ++tn) {
                  CD_HLS(UNROLL)
                  if (tn < channels) {
                    const WgtWord& w = wb[T::weight_word(t, to, ti + tn, i, j)];
                    const WgtWord& v = wb[T::weight_word(t, both ? to + 1 : to, ti + tn, i, j)];
                    const Acc value = x.lane[ti % Lanes + tn];
                    for (int tm = 0; tm < Cols; ++tm) {
                      CD_HLS(UNROLL)
                      if (both) {
                        multiply_pair(value, w.lane[tm], v.lane[tm], sum[tm], upper[tm]);
                      } else {
                        sum[tm] += value * static_cast<Acc>(w.lane[tm]);
                      }
                    }
                  }
                }
                for (int tm = 0; tm < Cols; ++tm) {
                  CD_HLS(UNROLL)
                  acc.lane[tm] = sum[tm];
                  if (both) next.lane[tm] = upper[tm];
                }
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
  // One multiplication: the lower weight's product in the lower Shift bits, made non-negative by a constant.
  static constexpr int Shift = ActBits + WgtBits / 2;

  template <typename Weight>
  static void multiply_pair(Acc value, Weight low, Weight high, Acc& sum, Acc& upper) {
    CD_HLS(INLINE)
    const std::int64_t half = std::int64_t{1} << (Shift - 1);
    const std::int64_t operand = static_cast<std::int64_t>(high) * (2 * half) + low;
    const std::int64_t product = static_cast<std::int64_t>(value) * operand + half;
    sum += static_cast<Acc>((product & (2 * half - 1)) - half);
    upper += static_cast<Acc>(product >> Shift);
  }
};

}  // namespace cd

#endif  // CD_LOOP_TILE_H
