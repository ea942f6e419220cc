// The vector unit: Lanes channels a cycle. Depthwise convolution, window sums, window maxima; up to Taps neighbouring
// taps of a filter row at once, out of a window into which the input's words shift, so that each is read once a row.
#ifndef CD_VECTOR_H
#define CD_VECTOR_H

#include "cd_tile.h"

namespace cd {

template <typename Array, int Taps>
class VectorUnit {
  using Act = typename Array::Act;
  using Acc = typename Array::Acc;
  using Wgt = typename Array::Wgt;
  using ActWord = typename Array::ActWord;
  using WgtWord = typename Array::WgtWord;
  using AccWord = typename Array::AccWord;
  static constexpr int Lanes = Array::Lanes;
  static constexpr int Cols = Array::Cols;
  static constexpr int Parts = Lanes / Cols;  // words of weights of a tap
  // What padding is to a maximum: less than any activation.
  static constexpr std::int64_t Least = -(std::int64_t{1} << (Array::ActivationBits + Array::WeightBits - 1));

 public:
  static std::uint64_t compute(int op, const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int most = t.dilation_w == 1 ? Taps : 1;
    for (int k0 = 0; k0 < t.k; k0 += Lanes) {
      for (int r = 0; r < t.r; ++r) {
        for (int s0 = 0; s0 < t.s; s0 += most) {
          const int taps = min_of(most, t.s - s0);
          Wgt weight[Taps][Lanes] = {};
          CD_HLS(ARRAY_PARTITION variable = weight complete dim = 0)
          for (int tap = 0; tap < taps && op == kDepthwise; ++tap) {
            for (int part = 0; part < Parts; ++part) {
              CD_HLS(PIPELINE II = 1)
              typename Array::WgtRow w;
              Array::load_weights(t, wb, ((k0 / Lanes * t.r + r) * t.s + s0 + tap) * Parts + part, w);
              for (int col = 0; col < Cols; ++col) {
                CD_HLS(UNROLL)
                weight[tap][part * Cols + col] = w[0][col];
              }
            }
          }
          const bool overwrite = !t.accumulate && r == 0 && s0 == 0;
          for (int p = 0; p < t.p; ++p) {
            cycles += row(op, t, ib, ab, Place{k0, r, s0, p}, taps, overwrite, weight);
          }
        }
      }
    }
    return cycles;
  }

 private:
  struct Place {
    int k0, r, s0, p;
  };

  // A row of the output: words enter the window one a cycle, and a pixel is due whenever its taps are all there.
  static std::uint64_t row(int op, const Tile& t, const ActWord* ib, AccWord* ab, const Place& at, int taps,
                           bool overwrite, const Wgt (&weight)[Taps][Lanes]) {
    ActWord window[Taps] = {};
    bool inside[Taps] = {};
    CD_HLS(ARRAY_PARTITION variable = window complete dim = 0)
    CD_HLS(ARRAY_PARTITION variable = inside complete)
    const int in_row = at.p * t.stride_h + at.r * t.dilation_h - t.pad_top;
    const int step = min_of(t.stride_w, taps);
    int col = at.s0 * t.dilation_w - t.pad_left;
    int missing = taps;
    int q = 0;
    std::uint64_t cycles = 0;
    AccWord* acc = ab + Array::acc_word(t, at.k0) + at.p * t.q;
    for (; q < t.q; ++cycles) {
      CD_HLS(PIPELINE II = 1)
      for (int tap = 0; tap + 1 < Taps; ++tap) {
        CD_HLS(UNROLL)
        if (tap + 1 < taps) {
          window[tap] = window[tap + 1];
          inside[tap] = inside[tap + 1];
        }
      }
      window[taps - 1] = Array::pixel(t, ib, at.k0, in_row, col);
      inside[taps - 1] = in_row >= 0 && in_row < t.in_h && col >= 0 && col < t.in_w;
      ++col;
      if (--missing > 0) continue;
      for (int lane = 0; lane < Lanes; ++lane) {
        CD_HLS(UNROLL)
        Acc value = op == kMax ? static_cast<Acc>(Least) : Acc{0};
        for (int tap = 0; tap < Taps; ++tap) {
          CD_HLS(UNROLL)
          if (tap >= taps) continue;
          const Acc x = window[tap].lane[lane];
          if (op == kDepthwise) value += x * static_cast<Acc>(weight[tap][lane]);
          if (op == kSum) value += x;
          if (op == kMax && inside[tap] && x > value) value = x;
        }
        Acc& total = acc[q].lane[lane];
        if (overwrite) {
          total = value;
        } else if (op == kMax) {
          total = value > total ? value : total;
        } else {
          total += value;
        }
      }
      ++q;
      missing = step;
      col += t.stride_w - step;
    }
    return cycles;
  }
};

}  // namespace cd

#endif  // CD_VECTOR_H
