// A descriptor is checked before anything of it is done, as cd_sequencer.sv does: no transfer, input, sum or result
// reaches beyond its memory.
#ifndef CD_CHECK_H
#define CD_CHECK_H

#include "cd_memory.h"
#include "cd_status.h"

namespace cd {

template <typename Design>
class Checks {
  using Array = typename Design::Array;
  static constexpr int Lanes = Array::Lanes;

 public:
  static Error dma(const Header& h, const Dma& m) {
    const std::int64_t words = capacity(m.buffer);
    if (words == 0 || h.region >= kRegions || (m.buffer == kOutput) != (h.opcode == kStore)) return kErrOpcode;
    const std::int64_t count = static_cast<std::int64_t>(m.count0) * m.count1 * m.count2;
    const bool turned = m.buffer == kTurned;  // goes by whole blocks: Lanes words for every Cols that are read
    if (count == 0 || (turned && m.count0 % Array::Cols != 0)) return kErrRange;
    return m.base + (turned ? count / Array::Cols * Lanes : count) > words ? kErrRange : kDone;
  }

  static Error compute(const LayerSetting& l, const Tile& t) {
    const bool is_array = l.op == kArray;
    const bool nonlinear = l.op >= kSoftmax;
    const bool unknown = l.op < kArray || l.op > (Design::Nonlinear ? kGelu : kMax);
    if (unknown || (1 << l.narrow) > Array::Packing || (l.dual && !(Array::Dual && is_array)) ||
        (l.kept != 0 && !(Design::TapSkipping && is_array))) {
      return kErrOpcode;
    }
    const int channels = is_array || nonlinear ? t.c : t.k;
    const std::int64_t read = std::int64_t{ceil_div(channels, Lanes)} * t.in_h * t.in_w;
    const std::int64_t written = std::int64_t{ceil_div(t.k, Lanes)} * t.p * t.q;
    if (read == 0 || written == 0 || t.c == 0 || t.r == 0 || l.s == 0 || l.stride_h == 0 || l.stride_w == 0) {
      return kErrRange;
    }
    return t.ib_base + read > 2 * Design::InputWords || outside_half(t.ab_base, written) ? kErrRange : kDone;
  }

  static Error drain(const LayerSetting& l, const Piece& p) {
    if (l.lookup && !Design::Tables) return kErrOpcode;
    const std::int64_t words = static_cast<std::int64_t>(p.words) * p.blocks;
    const bool second = l.residual || l.product;
    const std::int64_t channels = std::int64_t{p.pb_base} * Design::PpuLanes + std::int64_t{p.blocks} * Lanes;
    const bool beyond = p.ob_base + words > 2 * Design::OutputWords ||
                        (second && p.rb_base + (l.broadcast ? p.blocks : words) > 2 * Design::OutputWords) ||
                        (l.per_channel && channels > 2 * Design::ParamChannels);
    return words == 0 || beyond || outside_half(p.ab_base, words) ? kErrRange : kDone;
  }

 private:
  // Words of each memory, both halves together.
  static std::int64_t capacity(int buffer) {
    switch (buffer) {
      case kInput:
        return 2 * Design::InputWords;
      case kWeight:
        return 2 * Design::WeightWords;
      case kTurned:
        return Design::Nonlinear ? 2 * Design::WeightWords : 0;
      case kParam:
        return 2 * Design::ParamChannels;
      case kResidual:
      case kOutput:
        return 2 * Design::OutputWords;
      case kProgram:
        return 2 * kChunk;
      case kTable:
        return Design::Tables ? 2 * Design::TableWords : 0;
      default:
        return 0;
    }
  }
  // The accumulators' halves are AccHalf words apart, of which AccWords are there.
  static bool outside_half(int base, std::int64_t words) {
    return base >= 2 * Design::AccHalf || base % Design::AccHalf + words > Design::AccWords;
  }
};

}  // namespace cd

#endif  // CD_CHECK_H
