// Operators without weights: pooling, elementwise, layout. Lanes channels of a pixel a cycle.
#ifndef CD_VECTOR_H
#define CD_VECTOR_H

#include "cd_layer.h"

namespace cd {

// Cycles of `words` reads of Lanes channels each, computed and written as they come.
inline Cycles streamed(std::uint64_t loads, std::uint64_t stores) { return Cycles{loads, loads, stores, loads + stores}; }

template <int Lanes>
Cycles pool(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  const bool is_max = l.op == Op::MaxPool;
  std::uint64_t taps = 0;
  std::uint64_t outputs = 0;
  for (int c = 0; c < l.G; c += Lanes) {
    const int count = min_of(Lanes, l.G - c);
    for (int p = 0; p < l.P; ++p) {
      for (int q = 0; q < l.Q; ++q, ++outputs) {
        std::int32_t best[Lanes];
        bool seen = false;
        for (int i = 0; i < Lanes; ++i) best[i] = 0;
        for (int r = 0; r < l.R; ++r) {
          for (int s = 0; s < l.S; ++s) {
            CD_HLS(PIPELINE II = 1)
            const int row = p * l.stride_h + r * l.dilation_h - l.pad_top;
            const int col = q * l.stride_w + s * l.dilation_w - l.pad_left;
            if (row < 0 || row >= x.rows || col < 0 || col >= x.cols) continue;
            std::int32_t value[Lanes];
            read_channels<Lanes>(memory, x, c, row, col, count, value);
            for (int i = 0; i < count; ++i) {
              CD_HLS(UNROLL)
              if (is_max) {
                best[i] = !seen || value[i] > best[i] ? value[i] : best[i];
              } else {
                best[i] += value[i];
              }
            }
            seen = true;
            ++taps;
          }
        }
        for (int i = 0; i < count; ++i) {
          CD_HLS(UNROLL)
          const std::int64_t value = is_max ? best[i] : rescale(best[i], l.mult, l.shift);
          write_tensor<Lanes>(memory, y, c + i, p, q, clamp(value, l.low, l.high));
        }
      }
    }
  }
  return streamed(taps, outputs);
}

// Add and multiply. An operand of one row and column counts for every place.
template <int Lanes>
Cycles binary(Memory memory, const Tensor& a, const Tensor& b, const Tensor& y, const Layer& l) {
  std::uint64_t words = 0;
  for (int c = 0; c < y.channels; c += Lanes) {
    const int count = min_of(Lanes, y.channels - c);
    for (int p = 0; p < y.rows; ++p) {
      for (int q = 0; q < y.cols; ++q, ++words) {
        CD_HLS(PIPELINE II = 2)
        std::int32_t left[Lanes];
        std::int32_t right[Lanes];
        read_channels<Lanes>(memory, a, c, a.rows == 1 ? 0 : p, a.cols == 1 ? 0 : q, count, left);
        read_channels<Lanes>(memory, b, c, b.rows == 1 ? 0 : p, b.cols == 1 ? 0 : q, count, right);
        for (int i = 0; i < count; ++i) {
          CD_HLS(UNROLL)
          const std::int64_t u = left[i];
          const std::int64_t v = right[i];
          const std::int64_t value =
              l.op == Op::Add ? rescale(u * l.mult + v * l.mult_b, 1, l.shift) : rescale(u * v, l.mult, l.shift);
          write_tensor<Lanes>(memory, y, c + i, p, q, clamp(value, l.low, l.high));
        }
      }
    }
  }
  return streamed(2 * words, words);
}

template <int Lanes>
Cycles copy(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  std::uint64_t words = 0;
  for (int c = 0; c < x.channels; c += Lanes) {
    const int count = min_of(Lanes, x.channels - c);
    for (int p = 0; p < x.rows; ++p) {
      for (int q = 0; q < x.cols; ++q, ++words) {
        CD_HLS(PIPELINE II = 1)
        std::int32_t value[Lanes];
        read_channels<Lanes>(memory, x, c, p, q, count, value);
        write_channels<Lanes>(memory, y, l.at_channel + c, l.at_row + p, l.at_col + q, count, value);
      }
    }
  }
  return streamed(words, words);
}

// y.flat[i] = x.flat[index[i]], both counted by channel, row, column; one element a cycle.
template <int Lanes>
Cycles gather(Memory memory, const Tensor& x, const Tensor& y, const Layer& l) {
  const std::int64_t elements = static_cast<std::int64_t>(y.channels) * y.rows * y.cols;
  const int plane = x.rows * x.cols;
  std::int64_t i = 0;
  for (int c = 0; c < y.channels; ++c) {
    for (int p = 0; p < y.rows; ++p) {
      for (int q = 0; q < y.cols; ++q, ++i) {
        CD_HLS(PIPELINE II = 1)
        const std::int64_t from = l.params < 0 ? i : read_word<4>(memory, l.params + 4 * i);
        const int channel = static_cast<int>(from / plane);
        const int place = static_cast<int>(from % plane);
        write_tensor<Lanes>(memory, y, c, p, q, read_tensor<Lanes>(memory, x, channel, place / x.cols, place % x.cols));
      }
    }
  }
  return streamed(elements, elements);
}

}  // namespace cd

#endif  // CD_VECTOR_H
