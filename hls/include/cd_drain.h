// Post-processing: accumulators -> bias, rescale, clamp -> [second operand x m1 + own x m0, rescale, clamp] -> [table].
#ifndef CD_DRAIN_H
#define CD_DRAIN_H

#include "cd_tile.h"

namespace cd {

// Of one channel.
template <typename Acc>
struct Param {
  Acc bias;
  std::uint32_t mult;  // affine: signed
  std::uint8_t shift;
};

template <typename Array>
class DrainUnit {
  using Act = typename Array::Act;
  using Acc = typename Array::Acc;
  using ActWord = typename Array::ActWord;
  using AccWord = typename Array::AccWord;
  static constexpr int Lanes = Array::Lanes;
  static constexpr int ActBits = Array::ActivationBits;

 public:
  // params: from the piece's first channel on; table: the half that the piece names, as its bytes lie in memory.
  static std::uint64_t run(const Piece& piece, const LayerSetting& l, const Constants& c, const AccWord* ab,
                           const ActWord* rb, const Param<Acc>* params, const std::uint8_t* table, ActWord* ob) {
    for (int block = 0; block < piece.blocks; ++block) {
      for (int word = 0; word < piece.words; ++word) {
        CD_HLS(PIPELINE II = 1)
        const int at = block * piece.words + word;
        const AccWord& acc = ab[piece.ab_base + at];
        const bool second = l.residual || l.product;
        const ActWord other = second ? rb[piece.rb_base + (l.broadcast ? block : at)] : ActWord{};
        ActWord& out = ob[piece.ob_base + at];
        for (int lane = 0; lane < Lanes; ++lane) {
          CD_HLS(UNROLL)
          const Param<Acc> param = l.per_channel ? params[block * Lanes + lane] : Param<Acc>{0, l.mult, l.shift};
          std::int64_t value = acc.lane[lane];
          if (l.product) {
            const std::int64_t product = static_cast<Act>(value) * static_cast<std::int64_t>(other.lane[lane]);
            value = rescale(product, param.mult, param.shift);
          } else if (l.affine) {  // the bias behind the multiplication, which is then signed
            value = rescale(value * static_cast<std::int32_t>(param.mult) + param.bias, 1, param.shift);
          } else {
            value = rescale(value + param.bias, param.mult, param.shift);
          }
          value = clamp(value, l.low, l.high);
          if (l.residual) {
            value = clamp(rescale(value * c.m0 + other.lane[lane] * c.m1, 1, c.shift2), c.low2, c.high2);
          }
          out.lane[lane] = static_cast<Act>(narrow<ActBits>(value));
          if constexpr (ActBits <= 8) {  // the most negative value is entry 0
            if (l.lookup) {
              const int entry = static_cast<std::int8_t>(table[value + (1 << (ActBits - 1))]);
              out.lane[lane] = static_cast<Act>(narrow<ActBits>(entry));
            }
          }
        }
      }
    }
    return static_cast<std::uint64_t>(piece.blocks) * piece.words;
  }
};

}  // namespace cd

#endif  // CD_DRAIN_H
