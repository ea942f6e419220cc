// Row stationary, after Eyeriss: a PE keeps one filter row and slides it over one input row. The (channel, filter row)
// pairs of a block of Lanes channels are dealt to the PE rows in order, a pass taking Rows of them; PE column j has
// output row p0 + j. So inputs are shared along diagonals, filters along rows, and partial sums are added up the
// columns. The Cols output channels of a block take turns on the same window.
#ifndef CD_ROW_STATIONARY_H
#define CD_ROW_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits, int PackingValue>
struct RowStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits, PackingValue, 0>;
  using typename T::Acc, typename T::Act, typename T::AccWord, typename T::ActWord, typename T::Wgt,
      typename T::WgtRow, typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static constexpr int Taps = 4;  // filter columns that a PE's scratchpads hold at a time

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    for (int p0 = 0; p0 < t.p; p0 += Cols) {
      int word = 0;  // of weights
      for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
        bool overwrite = !t.accumulate;
        for (int s0 = 0; s0 < t.s; s0 += Taps) {
          const int taps = min_of(Taps, t.s - s0);
          for (int c0 = 0; c0 < t.c; c0 += Lanes) {
            const int pairs = min_of(Lanes, t.c - c0) * t.r;
            for (int first = 0; first < pairs; first += Rows) {
              const SlidePass pass{kb * Cols, p0, c0, s0, taps, first, pairs, word, overwrite};
              cycles += slide(t, ib, wb, ab, pass);
              word += Rows * taps;
              overwrite = false;
            }
          }
        }
      }
    }
    return cycles;
  }

 private:
  struct SlidePass {
    int k0, p0, c0, s0, taps;
    int first, pairs;  // (channel, filter row) pairs of the block: the pass's first, all
    int word;
    bool overwrite;
  };

  static std::uint64_t slide(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab, const SlidePass& pass) {
    Wgt filter[Rows][Taps][Cols];  // scratchpad of PE row i; every PE of the row has the same
    CD_HLS(ARRAY_PARTITION variable = filter complete dim = 1)
    for (int i = 0; i < Rows; ++i) {
      for (int s = 0; s < pass.taps; ++s) {
        CD_HLS(PIPELINE II = 1)
        WgtRow w;
        T::load_weights(t, wb, pass.word + i * pass.taps + s, w);
        for (int k = 0; k < Cols; ++k) {
          CD_HLS(UNROLL)
          filter[i][s][k] = w[0][k];
        }
      }
    }
    std::uint64_t cycles = static_cast<std::uint64_t>(Rows) * pass.taps;
    const int outputs = min_of(Cols, t.k - pass.k0);
    const int rows = min_of(Cols, t.p - pass.p0);
    AccWord* acc = ab + T::acc_word(t, pass.k0) + pass.p0 * t.q;
    const int lane = T::acc_lane(pass.k0);
    Act window[Rows][Taps][Cols];  // scratchpads of the PEs: [i][tap][j]
    CD_HLS(ARRAY_PARTITION variable = window complete dim = 1)
    CD_HLS(ARRAY_PARTITION variable = window complete dim = 3)
    for (int q = 0; q < t.q; ++q) {
      // A stride of columns enters; what the windows of q - 1 and q share stays where it is.
      const int kept = (q > 0 && t.dilation_w == 1) ? max_of(0, pass.taps - t.stride_w) : 0;
      fill(t, ib, pass, q, kept, window);
      cycles += pass.taps - kept;
      for (int k = 0; k < Cols; ++k) {
        Acc sum[Cols] = {};
        CD_HLS(ARRAY_PARTITION variable = sum complete)
        for (int s = 0; s < pass.taps && k < outputs; ++s) {  // beyond the last channel: zeros, as its weights are
          CD_HLS(PIPELINE II = 1)
          for (int i = 0; i < Rows; ++i) {
            CD_HLS(UNROLL)
            const Acc weight = filter[i][s][k];
            for (int j = 0; j < Cols; ++j) {
              CD_HLS(UNROLL)
              sum[j] += weight * static_cast<Acc>(window[i][s][j]);
            }
          }
        }
        for (int j = 0; j < rows; ++j) {
          CD_HLS(UNROLL)
          Acc& total = acc[j * t.q + q].lane[lane + k];
          total = (pass.overwrite ? Acc{0} : total) + sum[j];
        }
      }
      cycles += static_cast<std::uint64_t>(outputs) * pass.taps;
    }
    return cycles;
  }

  static void fill(const Tile& t, const ActWord* ib, const SlidePass& pass, int q, int kept,
                   Act (&window)[Rows][Taps][Cols]) {
    for (int s = 0; s < pass.taps; ++s) {
      CD_HLS(PIPELINE II = 1)
      for (int i = 0; i < Rows; ++i) {
        CD_HLS(UNROLL)
        const int pair = pass.first + i;
        const bool live = pair < pass.pairs;
        const int channel = pass.c0 + pair / t.r;
        const int r = pair % t.r;
        for (int j = 0; j < Cols; ++j) {
          CD_HLS(UNROLL)
          if (s < kept) {
            window[i][s][j] = window[i][s + t.stride_w][j];
          } else if (live && pass.p0 + j < t.p) {
            window[i][s][j] =
                T::tap_pixel(t, ib, channel, pass.p0 + j, q, r, pass.s0 + s).lane[channel % Lanes];
          } else {
            window[i][s][j] = Act{0};
          }
        }
      }
    }
  }
};

}  // namespace cd

#endif  // CD_ROW_STATIONARY_H
