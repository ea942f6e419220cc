// Row stationary, after Eyeriss: a PE keeps one filter row and slides it over one input row. PE (i, j) has filter row
// i % R of input channel i / R and output row j, so that inputs are shared along diagonals, filters along rows, and
// partial sums are added up the columns. The Cols output channels of a block take turns on the same window.
#ifndef CD_ROW_STATIONARY_H
#define CD_ROW_STATIONARY_H

#include "cd_tile.h"

namespace cd {

template <int RowsValue, int ColsValue, int ActBits, int WgtBits, int AccBits>
struct RowStationary : ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits> {
  using T = ArrayTypes<RowsValue, ColsValue, ActBits, WgtBits, AccBits>;
  using typename T::Acc, typename T::Act, typename T::AccWord, typename T::ActWord, typename T::Wgt,
      typename T::WgtWord;
  using T::Cols, T::Lanes, T::Rows;

  static constexpr int Taps = 12;  // filter columns that a PE's scratchpads hold at a time (Eyeriss: 12 inputs)

  static std::uint64_t compute(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab) {
    std::uint64_t cycles = 0;
    const int filter_rows = min_of(t.r, Rows);
    const int channels = Rows / filter_rows;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int p0 = 0; p0 < t.p; p0 += Cols) {
        for (int c0 = 0; c0 < t.c; c0 += channels) {
          for (int r0 = 0; r0 < t.r; r0 += filter_rows) {
            for (int s0 = 0; s0 < t.s; s0 += Taps) {
              const Pass pass{kb, p0, c0, r0, s0, filter_rows, channels, min_of(Taps, t.s - s0),
                              t.first && c0 == 0 && r0 == 0 && s0 == 0};
              cycles += slide(t, ib, wb, ab, pass);
            }
          }
        }
      }
    }
    return cycles;
  }

 private:
  struct Pass {
    int kb, p0, c0, r0, s0;
    int filter_rows, channels, taps;
    bool overwrite;
  };

  // What the PE in array row i works on, or nothing.
  static bool assigned(const Tile& t, const Pass& pass, int i, int& channel, int& r) {
    channel = pass.c0 + i / pass.filter_rows;
    r = pass.r0 + i % pass.filter_rows;
    return i < pass.filter_rows * pass.channels && channel < t.c && r < t.r;
  }

  static std::uint64_t slide(const Tile& t, const ActWord* ib, const WgtWord* wb, AccWord* ab, const Pass& pass) {
    Wgt filter[Rows][Taps][Cols];  // scratchpad of PE row i; every PE of the row has the same
    CD_HLS(ARRAY_PARTITION variable = filter complete dim = 1)
    for (int i = 0; i < Rows; ++i) {
      for (int s = 0; s < pass.taps; ++s) {
        CD_HLS(PIPELINE II = 1)
        int channel = 0;
        int r = 0;
        const bool live = assigned(t, pass, i, channel, r);
        const int word = live ? T::weight_word(t, pass.kb, channel, r, pass.s0 + s) : 0;
        for (int k = 0; k < Cols; ++k) {
          CD_HLS(UNROLL)
          filter[i][s][k] = live ? wb[word].lane[k] : Wgt{0};
        }
      }
    }
    std::uint64_t cycles = static_cast<std::uint64_t>(Rows) * pass.taps;
    const int outputs = min_of(Cols, t.k - pass.kb * Cols);
    Act window[Rows][Taps][Cols];  // scratchpads of the PEs: [i][tap][j]
    CD_HLS(ARRAY_PARTITION variable = window complete dim = 1)
    CD_HLS(ARRAY_PARTITION variable = window complete dim = 3)
    for (int q = 0; q < t.q; ++q) {
      // A stride of columns enters; what the windows of q - 1 and q share stays where it is.
      const int kept = (q > 0 && t.dilation_w == 1) ? max_of(0, pass.taps - t.stride_w) : 0;
      fill(t, ib, pass, q, kept, window);
      cycles += pass.taps - kept;
      for (int k = 0; k < outputs; ++k) {
        Acc sum[Cols] = {};
        CD_HLS(ARRAY_PARTITION variable = sum complete)
        for (int s = 0; s < pass.taps; ++s) {
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
        const int rows = min_of(Cols, t.p - pass.p0);
        for (int j = 0; j < rows; ++j) {
          CD_HLS(UNROLL)
          Acc& acc = ab[T::acc_word(t, pass.kb, pass.p0 + j, q)].lane[k];
          acc = (pass.overwrite ? Acc{0} : acc) + sum[j];
        }
      }
      cycles += static_cast<std::uint64_t>(outputs) * pass.taps;
    }
    return cycles;
  }

  static void fill(const Tile& t, const ActWord* ib, const Pass& pass, int q, int kept, Act (&window)[Rows][Taps][Cols]) {
    for (int s = 0; s < pass.taps; ++s) {
      CD_HLS(PIPELINE II = 1)
      for (int i = 0; i < Rows; ++i) {
        CD_HLS(UNROLL)
        int channel = 0;
        int r = 0;
        const bool live = assigned(t, pass, i, channel, r);
        for (int j = 0; j < Cols; ++j) {
          CD_HLS(UNROLL)
          if (s < kept) {
            window[i][s][j] = window[i][s + t.stride_w][j];
          } else if (live && pass.p0 + j < t.p) {
            const int row = (pass.p0 + j) * t.stride_h + r * t.dilation_h;
            const int col = q * t.stride_w + (pass.s0 + s) * t.dilation_w;
            window[i][s][j] = ib[T::input_word(t, channel, row, col)].lane[channel % Lanes];
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
