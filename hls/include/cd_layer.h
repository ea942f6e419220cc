// One step of a network's program.
#ifndef CD_LAYER_H
#define CD_LAYER_H

#include "cd_memory.h"

namespace cd {

enum class Op : std::uint8_t {
  Mac,        // convolution, linear, transposed convolution; weights from memory
  MatMul,     // weights are the second operand
  Depthwise,  // one channel a group
  MaxPool,
  AvgPool,
  Add,
  Mul,
  Copy,    // one operand of a concatenation, to its place
  Gather,  // a reshape
  Clamp,
  Table,
  Gelu,
  Softmax,
  LayerNorm,
};

// Loop bounds are per group, as in the network's description. An operator reads the fields that it needs.
struct Layer {
  Op op;
  int id;             // the network's layer that this step is part of
  int in0, in1, out;  // tensors
  int G, K, C, P, Q, R, S;
  int stride_h, stride_w, dilation_h, dilation_w;
  int pad_top, pad_left;  // negative: rows that are skipped
  int up_h, up_w;         // zeros between input pixels, plus one: the stride of a transposed convolution
  int tile_k, tile_c, tile_p, tile_q, tile_r;
  int weight_bits;
  int transpose_b;
  std::int64_t weights, params;  // bytes from the start of memory; -1: none
  std::int64_t low, high;
  std::int64_t mult, mult_b;
  int shift;
  int arg_mult, arg_shift;
  std::int64_t epsilon;
  int at_channel, at_row, at_col;  // where a Copy goes
};

// What a step takes at an initiation interval of one.
struct Cycles {
  std::uint64_t load, compute, store, total;
};

}  // namespace cd

#endif  // CD_LAYER_H
