// The engine: runs a program over one memory.
#ifndef CD_ENGINE_H
#define CD_ENGINE_H

#include "cd_mac.h"
#include "cd_nonlinear.h"

namespace cd {

template <typename Design>
Cycles run_layer(Memory memory, const Tensor* tensors, const Layer& l) {
  static MacEngine<Design> engine;
  constexpr int lanes = Design::Array::Lanes;
  constexpr int row_max = Design::RowMax;
  const Tensor& x = tensors[l.in0];
  const Tensor& y = tensors[l.out];
  switch (l.op) {
    case Op::Mac:
    case Op::MatMul:
      return engine.run(memory, tensors, l);
    case Op::Depthwise:
      return engine.run_depthwise(memory, tensors, l);
    case Op::MaxPool:
    case Op::AvgPool:
      return pool<lanes>(memory, x, y, l);
    case Op::Add:
    case Op::Mul:
      return binary<lanes>(memory, x, tensors[l.in1], y, l);
    case Op::Copy:
      return copy<lanes>(memory, x, y, l);
    case Op::Gather:
      return gather<lanes>(memory, x, y, l);
    case Op::Clamp:
    case Op::Table:
    case Op::Gelu:
      return activate<lanes>(memory, x, y, l);
    case Op::Softmax:
      return softmax<lanes, row_max>(memory, x, y, l);
    case Op::LayerNorm:
      return layer_norm<lanes, row_max>(memory, x, y, l);
  }
  return Cycles{};
}

}  // namespace cd

#endif  // CD_ENGINE_H
