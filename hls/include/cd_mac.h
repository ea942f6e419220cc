// The MAC operators: load, compute and store over on-chip buffers of the design's sizes. Input and weight buffers have
// two halves: while the array computes on one, the next tile is loaded into the other.
//
// `Design` is the generated configuration: the array, and the words of one half of each buffer.
#ifndef CD_MAC_H
#define CD_MAC_H

#include "cd_layer.h"
#include "cd_tile.h"

namespace cd {

template <typename Design>
class MacEngine {
  using Array = typename Design::Array;
  using Act = typename Array::Act;
  using Wgt = typename Array::Wgt;
  using Acc = typename Array::Acc;
  using ActWord = typename Array::ActWord;
  using WgtWord = typename Array::WgtWord;
  using AccWord = typename Array::AccWord;
  static constexpr int Cols = Array::Cols;
  static constexpr int Lanes = Array::Lanes;
  using OutWord = Word<Act, Cols>;

  struct Param {
    std::int64_t bias, mult;
    int shift;
  };

  // Where one tile lies in its layer.
  struct Place {
    int g, k0, c0, p0, q0, r0;
  };

  ActWord input_[2][Design::InputWords];
  WgtWord weight_[2][Design::WeightWords];
  AccWord acc_[Design::AccWords];
  OutWord output_[Design::OutputWords];

 public:
  // All tiles of a layer: outputs outermost, so that partial sums never leave the chip.
  Cycles run(Memory memory, const Tensor* tensors, const Layer& l) {
    CD_HLS(ARRAY_PARTITION variable = input_ complete dim = 1)
    CD_HLS(ARRAY_PARTITION variable = weight_ complete dim = 1)
    // A word's lanes are one wide memory word.
    CD_HLS(AGGREGATE variable = input_)
    CD_HLS(AGGREGATE variable = weight_)
    CD_HLS(AGGREGATE variable = acc_)
    CD_HLS(AGGREGATE variable = output_)
    Cycles cycles{};
    for (int g = 0; g < l.G; ++g) {
      for (int k0 = 0; k0 < l.K; k0 += l.tile_k) {
        for (int p0 = 0; p0 < l.P; p0 += l.tile_p) {
          for (int q0 = 0; q0 < l.Q; q0 += l.tile_q) {
            reduce(memory, tensors, l, g, k0, p0, q0, cycles);
          }
        }
      }
    }
    return cycles;
  }

  // A depthwise layer: the columns are channels, one row of multipliers works. Groups are taken Cols at a time.
  Cycles run_depthwise(Memory memory, const Tensor* tensors, const Layer& l) {
    Cycles cycles{};
    for (int g = 0; g < l.G; g += Cols) {
      for (int p0 = 0; p0 < l.P; p0 += l.tile_p) {
        for (int q0 = 0; q0 < l.Q; q0 += l.tile_q) {
          for (int r0 = 0; r0 < l.R; r0 += l.tile_r) {
            const Place at{g, 0, 0, p0, q0, r0};
            Tile t = tile_at(l, at);
            t.k = t.c = min_of(Cols, l.G - g);
            std::uint64_t load = load_input(memory, tensors[l.in0], l, t, at, input_[0]);
            load += load_depthwise_weights(memory, l, t, at);
            const std::uint64_t compute = depthwise(t, input_[0]);
            cycles.load += load;
            cycles.compute += compute;
            cycles.total += load + compute;
          }
          const Place at{g, 0, 0, p0, q0, 0};
          Tile t = tile_at(l, at);
          t.k = min_of(Cols, l.G - g);
          drain(memory, tensors[l.out], l, t, at, g, cycles);
        }
      }
    }
    return cycles;
  }

 private:
  static Tile tile_at(const Layer& l, const Place& at) {
    Tile t{};
    t.k = min_of(l.tile_k, l.K - at.k0);
    t.c = min_of(l.tile_c, l.C - at.c0);
    t.p = min_of(l.tile_p, l.P - at.p0);
    t.q = min_of(l.tile_q, l.Q - at.q0);
    t.r = min_of(l.tile_r, l.R - at.r0);
    t.s = l.S;
    t.stride_h = l.stride_h;
    t.stride_w = l.stride_w;
    t.dilation_h = l.dilation_h;
    t.dilation_w = l.dilation_w;
    t.in_h = (t.p - 1) * t.stride_h + (t.r - 1) * t.dilation_h + 1;
    t.in_w = (t.q - 1) * t.stride_w + (t.s - 1) * t.dilation_w + 1;
    t.first = at.c0 == 0 && at.r0 == 0;
    t.pairs = l.op == Op::Mac && 2 * l.weight_bits <= Array::WeightBits;
    return t;
  }

  // One output tile: every tile of input channels and filter rows is added; then it is drained.
  void reduce(Memory memory, const Tensor* tensors, const Layer& l, int g, int k0, int p0, int q0, Cycles& cycles) {
    const int row_steps = ceil_div(l.R, l.tile_r);
    const int steps = ceil_div(l.C, l.tile_c) * row_steps;
    auto place = [&](int step) {
      return Place{g, k0, step / row_steps * l.tile_c, p0, q0, step % row_steps * l.tile_r};
    };
    std::uint64_t load = load_step(memory, tensors, l, place(0), 0);
    cycles.load += load;
    cycles.total += load;
    for (int step = 0; step < steps; ++step) {
      const int half = step % 2;
      // The two calls touch different halves: they run at the same time.
      load = step + 1 < steps ? load_step(memory, tensors, l, place(step + 1), 1 - half) : 0;
      const std::uint64_t compute = Array::compute(tile_at(l, place(step)), input_[half], weight_[half], acc_);
      cycles.load += load;
      cycles.compute += compute;
      cycles.total += load > compute ? load : compute;
    }
    const Place at{g, k0, 0, p0, q0, 0};
    drain(memory, tensors[l.out], l, tile_at(l, at), at, g * l.K + k0, cycles);
  }

  std::uint64_t load_step(Memory memory, const Tensor* tensors, const Layer& l, const Place& at, int half) {
    const Tile t = tile_at(l, at);
    std::uint64_t cycles = load_input(memory, tensors[l.in0], l, t, at, input_[half]);
    if (l.op == Op::MatMul) {
      cycles += load_operand(memory, tensors[l.in1], l, t, at, weight_[half]);
    } else {
      cycles += load_weights(memory, l, t, at, weight_[half]);
    }
    return cycles;
  }

  static std::uint64_t transfer(std::uint64_t words, std::uint64_t bits) {
    const std::uint64_t beats = (bits + 8 * Design::DramBytesPerCycle - 1) / (8 * Design::DramBytesPerCycle);
    return Design::DramLatencyCycles + (beats > words ? beats : words);
  }

  // Pixels of the tile, Lanes channels a word; what lies in the padding or between the pixels of a transposed
  // convolution is 0.
  static std::uint64_t load_input(const std::uint8_t* memory, const Tensor& x, const Layer& l, const Tile& t,
                                  const Place& at, ActWord* words) {
    const int top = at.p0 * l.stride_h + at.r0 * l.dilation_h - l.pad_top;
    const int left = at.q0 * l.stride_w - l.pad_left;
    std::uint64_t read = 0;
    int word = 0;
    for (int c = 0; c < t.c; c += Lanes) {
      const int count = min_of(Lanes, t.c - c);
      for (int h = 0; h < t.in_h; ++h) {
        const int row = top + h;
        const bool row_inside = row >= 0 && row % l.up_h == 0 && row / l.up_h < x.rows;
        for (int w = 0; w < t.in_w; ++w, ++word) {
          CD_HLS(PIPELINE II = 1)
          const int col = left + w;
          words[word] = ActWord{};
          if (row_inside && col >= 0 && col % l.up_w == 0 && col / l.up_w < x.cols) {
            read_channels<Lanes>(memory, x, at.g * l.C + at.c0 + c, row / l.up_h, col / l.up_w, count,
                                 words[word].lane);
            read += static_cast<std::uint64_t>(count) * x.bits;
          }
        }
      }
    }
    return transfer(word, read);
  }

  // Weights lie as [group][k block][c][r][s][column].
  static std::uint64_t load_weights(const std::uint8_t* memory, const Layer& l, const Tile& t, const Place& at,
                                    WgtWord* words) {
    const int blocks = ceil_div(l.K, Cols);
    int word = 0;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int c = 0; c < t.c; ++c) {
        const std::int64_t channel =
            (static_cast<std::int64_t>(at.g) * blocks + at.k0 / Cols + kb) * l.C + at.c0 + c;
        const std::int64_t first = (channel * l.R + at.r0) * l.S * Cols;
        for (int tap = 0; tap < t.r * t.s; ++tap, ++word) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < Cols; ++col) {
            CD_HLS(UNROLL)
            words[word].lane[col] =
                static_cast<Wgt>(read_element(memory, l.weights, first + tap * Cols + col, l.weight_bits));
          }
        }
      }
    }
    return transfer(word, static_cast<std::uint64_t>(word) * Cols * l.weight_bits);
  }

  // The second operand of a matmul: C rows of K channels a group, or K rows of C channels.
  static std::uint64_t load_operand(const std::uint8_t* memory, const Tensor& b, const Layer& l, const Tile& t,
                                    const Place& at, WgtWord* words) {
    int word = 0;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      for (int c = 0; c < t.c; ++c, ++word) {
        CD_HLS(PIPELINE II = 1)
        const int k = at.k0 + kb * Cols;
        const int count = min_of(Cols, l.K - k);
        words[word] = WgtWord{};
        if (l.transpose_b != 0) {
          for (int col = 0; col < count; ++col) {
            CD_HLS(UNROLL)
            words[word].lane[col] = static_cast<Wgt>(read_tensor<Lanes>(memory, b, at.g * l.C + at.c0 + c, k + col, 0));
          }
        } else {
          read_channels<Lanes>(memory, b, at.g * l.K + k, at.c0 + c, 0, count, words[word].lane);
        }
      }
    }
    return transfer(word, static_cast<std::uint64_t>(word) * Cols * b.bits);
  }

  // Depthwise weights lie as [block of Cols channels][r][s][column].
  std::uint64_t load_depthwise_weights(const std::uint8_t* memory, const Layer& l, const Tile& t, const Place& at) {
    const std::int64_t first = (static_cast<std::int64_t>(at.g / Cols) * l.R + at.r0) * l.S * Cols;
    for (int tap = 0; tap < t.r * t.s; ++tap) {
      CD_HLS(PIPELINE II = 1)
      for (int col = 0; col < Cols; ++col) {
        CD_HLS(UNROLL)
        weight_[0][tap].lane[col] =
            static_cast<Wgt>(read_element(memory, l.weights, first + tap * Cols + col, l.weight_bits));
      }
    }
    return transfer(t.r * t.s, static_cast<std::uint64_t>(t.r) * t.s * Cols * l.weight_bits);
  }

  std::uint64_t depthwise(const Tile& t, const ActWord* words) {
    for (int r = 0; r < t.r; ++r) {
      for (int s = 0; s < t.s; ++s) {
        const WgtWord w = weight_[0][r * t.s + s];
        const bool overwrite = t.first && r == 0 && s == 0;
        for (int p = 0; p < t.p; ++p) {
          for (int q = 0; q < t.q; ++q) {
            CD_HLS(PIPELINE II = 1)
            const ActWord& x = words[(p * t.stride_h + r * t.dilation_h) * t.in_w + q * t.stride_w + s * t.dilation_w];
            AccWord& acc = acc_[p * t.q + q];
            for (int col = 0; col < Cols; ++col) {
              CD_HLS(UNROLL)
              acc.lane[col] = (overwrite ? Acc{0} : acc.lane[col]) +
                              static_cast<Acc>(x.lane[col]) * static_cast<Acc>(w.lane[col]);
            }
          }
        }
      }
    }
    return static_cast<std::uint64_t>(t.r) * t.s * t.p * t.q;
  }

  // Bias, rescale, clamp; then out, as much at a time as the output buffer holds.
  void drain(Memory memory, const Tensor& y, const Layer& l, const Tile& t, const Place& at, int channel0,
             Cycles& cycles) {
    const int pixels = t.p * t.q;
    for (int kb = 0; kb < ceil_div(t.k, Cols); ++kb) {
      const int count = min_of(Cols, t.k - kb * Cols);
      Param params[Cols];
      CD_HLS(ARRAY_PARTITION variable = params complete)
      load_params(memory, l, channel0 + kb * Cols, count, params);
      for (int x0 = 0; x0 < pixels; x0 += Design::OutputWords) {
        const int length = min_of(Design::OutputWords, pixels - x0);
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          for (int col = 0; col < count; ++col) {
            CD_HLS(UNROLL)
            const std::int64_t sum = acc_[kb * pixels + x0 + x].lane[col] + params[col].bias;
            output_[x].lane[col] =
                static_cast<Act>(clamp(rescale(sum, params[col].mult, params[col].shift), l.low, l.high));
          }
        }
        for (int x = 0; x < length; ++x) {
          CD_HLS(PIPELINE II = 1)
          write_channels<Lanes>(memory, y, channel0 + kb * Cols, at.p0 + (x0 + x) / t.q, at.q0 + (x0 + x) % t.q, count,
                                output_[x].lane);
        }
        const std::uint64_t store = length + transfer(length, static_cast<std::uint64_t>(length) * count * y.bits);
        cycles.store += store;
        cycles.total += store;
      }
    }
  }

  // 16 bytes a channel: bias, multiplier, shift.
  static void load_params(const std::uint8_t* memory, const Layer& l, int channel, int count, Param* params) {
    for (int col = 0; col < count; ++col) {
      CD_HLS(PIPELINE II = 1)
      const std::int64_t base = l.params + 16 * static_cast<std::int64_t>(channel + col);
      params[col] = Param{read_word<8>(memory, base), read_word<4>(memory, base + 8),
                          static_cast<int>(read_word<4>(memory, base + 12))};
    }
  }
};

}  // namespace cd

#endif  // CD_MAC_H
