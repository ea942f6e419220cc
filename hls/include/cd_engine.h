// The engine: fetches the program in chunks, and runs its descriptors one after another over one memory.
//
// The program is the RTL's own. There a unit's commands run beside those of the others, held back by tokens; each
// token is given by a command earlier in the program, so that program order is one of the orders that the tokens
// allow. They are counted here too: a command that waits for what nothing has given ends the run.
#ifndef CD_ENGINE_H
#define CD_ENGINE_H

#include "cd_check.h"
#include "cd_drain.h"
#include "cd_nonlinear.h"
#include "cd_vector.h"

namespace cd {

struct Bases {
  std::uint64_t region[kRegions];  // bytes of memory
};

// `Design` is the generated configuration: the array, and the words of each buffer.
template <typename Design>
class Engine {
  using Array = typename Design::Array;
  using ActWord = typename Array::ActWord;
  using WgtWord = typename Array::WgtWord;
  using AccWord = typename Array::AccWord;
  using Acc = typename Array::Acc;
  static constexpr int Lanes = Array::Lanes;
  static constexpr int Cols = Array::Cols;
  static constexpr int ActBits = Array::ActivationBits;
  static constexpr int ActBytes = Lanes * ActBits / 8;
  static constexpr int WgtBytes = Cols * Array::WeightBits / 8;
  static constexpr int ParamBytes = 16;
  static constexpr int TableEntries = 16;  // of a word

  // Two halves each, filled in turn.
  ActWord input_[2 * Design::InputWords];
  WgtWord weight_[2 * Design::WeightWords];
  AccWord acc_[2 * Design::AccHalf];
  ActWord residual_[2 * Design::OutputWords];
  ActWord output_[2 * Design::OutputWords];
  Param<Acc> param_[2 * Design::ParamChannels];
  std::uint8_t table_[2 * Design::TableWords * TableEntries];
  Descriptor program_[2 * kChunk];

  LayerSetting layer_;
  Constants constants_;
  int tokens_[kTokens];
  int chunks_;  // fetched and not begun

 public:
  // Runs a program to its end; returns an Error.
  //
  // image: the program's number; 0: any. cycles: of the layers by number, of which there are `layers`.
  int run(Memory memory, const Bases& bases, std::uint32_t image, Cycles* cycles, int layers) {
    // A word's lanes are one wide memory word.
    CD_HLS(AGGREGATE variable = input_)
    CD_HLS(AGGREGATE variable = weight_)
    CD_HLS(AGGREGATE variable = acc_)
    CD_HLS(AGGREGATE variable = residual_)
    CD_HLS(AGGREGATE variable = output_)
    CD_HLS(AGGREGATE variable = param_)
    CD_HLS(ARRAY_PARTITION variable = tokens_ complete)
    layer_ = LayerSetting{};
    constants_ = Constants{};
    for (int i = 0; i < kTokens; ++i) tokens_[i] = 0;
    chunks_ = 0;
    Dma first{};
    first.buffer = kProgram;
    first.count2 = first.count1 = 1;
    first.count0 = kChunk;
    load(memory, bases.region[0], first);
    bool named = false;  // a layer has named the hardware
    bool any = image == 0;
    for (std::uint32_t pc = 0;; ++pc) {
      if (pc % kChunk == 0 && --chunks_ < 0) return kErrWatchdog;
      const Descriptor d = program_[pc % (2 * kChunk)];
      const Header h = header_of(d);
      if (h.opcode < kLoad || h.opcode > kConstants) return kErrOpcode;
      if (h.opcode == kLayer) {
        const LayerSetting next = layer_of(d);
        if (next.hardware != Design::Hardware || (!any && h.number != image)) return kErrImage;
        layer_ = next;
        constants_ = Constants{};
        image = h.number;
        any = false;
        named = true;
        if (layer_.tag < layers) cycles[layer_.tag] = Cycles{};
        continue;
      }
      if (!named || h.number != image) return kErrImage;
      if (h.opcode == kConstants) {
        constants_ = constants_of(d);
        continue;
      }
      if (h.opcode == kEnd) return kDone;
      Cycles spent{};
      const Error fault = command(memory, bases, d, h, spent);
      if (fault != kDone) return fault;
      if (layer_.tag < layers) {
        Cycles& total = cycles[layer_.tag];
        total.load += spent.load;
        total.compute += spent.compute;
        total.drain += spent.drain;
        total.store += spent.store;
      }
    }
  }

 private:
  Error command(Memory memory, const Bases& bases, const Descriptor& d, const Header& h, Cycles& spent) {
    const Dma m = dma_of(d);
    const Tile tile = tile_of(d, layer_);
    const Piece piece = piece_of(d);
    const bool is_dma = h.opcode == kLoad || h.opcode == kStore;
    const Error fault = is_dma                  ? Checks<Design>::dma(h, m)
                        : h.opcode == kCompute  ? Checks<Design>::compute(layer_, tile)
                                                : Checks<Design>::drain(layer_, piece);
    if (fault != kDone) return fault;
    for (int i = 0; i < kTokens; ++i) {
      CD_HLS(UNROLL)
      if (((h.wait >> i) & 1) != 0 && --tokens_[i] < 0) return kErrWatchdog;
    }
    switch (h.opcode) {
      case kLoad:
        spent.load = load(memory, bases.region[h.region], m);
        break;
      case kCompute:
        spent.compute = compute(tile);
        break;
      case kDrain:
        spent.drain = DrainUnit<Array>::run(piece, layer_, constants_, acc_, residual_,
                                            param_ + piece.pb_base * Design::PpuLanes,
                                            table_ + piece.lookup_half * Design::TableWords * TableEntries, output_);
        break;
      default:
        spent.store = store(memory, bases.region[h.region], m);
    }
    for (int i = 0; i < kTokens; ++i) {
      CD_HLS(UNROLL)
      tokens_[i] += (h.signal >> i) & 1;
    }
    return kDone;
  }

  std::uint64_t compute(const Tile& t) {
    if (layer_.op == kArray) return Array::compute(t, input_, weight_, acc_);
    if constexpr (Design::Nonlinear) {
      if (layer_.op >= kSoftmax) return NonlinearUnit<Array>::compute(layer_.op, t, constants_, input_, weight_, acc_);
    }
    return VectorUnit<Array, Design::VectorTaps>::compute(layer_.op, t, input_, weight_, acc_);
  }

  // Cycles of a transfer: a word or a beat at a time, whichever are more, after the memory's latency.
  static std::uint64_t bus(std::uint64_t words, int bytes) {
    const std::uint64_t beats = (words * bytes + Design::DramBytesPerCycle - 1) / Design::DramBytesPerCycle;
    return Design::DramLatencyCycles + (beats > words ? beats : words);
  }

  std::uint64_t load(const std::uint8_t* memory, std::uint64_t base, const Dma& m) {
    switch (m.buffer) {
      case kInput: {
        const auto put = [&](int at, std::uint64_t addr) { read_word<ActBits>(memory + addr, input_[at]); };
        return bus(transfer<ActBytes>(m, base, put), ActBytes);
      }
      case kResidual: {
        const auto put = [&](int at, std::uint64_t addr) { read_word<ActBits>(memory + addr, residual_[at]); };
        return bus(transfer<ActBytes>(m, base, put), ActBytes);
      }
      case kWeight: {
        const auto put = [&](int at, std::uint64_t addr) { read_word<8>(memory + addr, weight_[at]); };
        return bus(transfer<WgtBytes>(m, base, put), WgtBytes);
      }
      case kTurned:
        if constexpr (Design::Nonlinear) return load_turned(memory, base, m);
        return 0;
      case kParam: {
        const auto put = [&](int at, std::uint64_t addr) {
          const std::uint8_t* bytes = memory + addr;
          param_[at] = Param<Acc>{static_cast<Acc>(read_number<8>(bytes)),
                                  static_cast<std::uint32_t>(read_number<4>(bytes + 8)),
                                  static_cast<std::uint8_t>(bytes[12] & 63)};
        };
        return bus(transfer<ParamBytes>(m, base, put), ParamBytes);
      }
      case kTable: {
        const auto put = [&](int at, std::uint64_t addr) {
          for (int i = 0; i < TableEntries; ++i) {
            CD_HLS(UNROLL)
            table_[at * TableEntries + i] = memory[addr + i];
          }
        };
        return bus(transfer<TableEntries>(m, base, put), TableEntries);
      }
      default: {
        const auto put = [&](int at, std::uint64_t addr) {
          for (int i = 0; i < kDescriptorBytes / 8; ++i) {
            CD_HLS(UNROLL)
            program_[at].word[i] = read_number<8>(memory + addr + 8 * i);
          }
        };
        const std::uint64_t words = transfer<kDescriptorBytes>(m, base, put);
        ++chunks_;
        return bus(words, kDescriptorBytes);
      }
    }
  }

  // Cols words of activations become Lanes words of weights.
  std::uint64_t load_turned(const std::uint8_t* memory, std::uint64_t base, const Dma& m) {
    ActWord block[Cols];
    CD_HLS(ARRAY_PARTITION variable = block complete)
    int filled = 0;
    int to = m.base;
    const auto put = [&](int, std::uint64_t addr) {
      read_word<ActBits>(memory + addr, block[filled]);
      if (++filled < Cols) return;
      filled = 0;
      for (int lane = 0; lane < Lanes; ++lane, ++to) {
        CD_HLS(PIPELINE II = 1)
        for (int j = 0; j < Cols; ++j) {
          CD_HLS(UNROLL)
          put_element<Array::WeightBits>(weight_[to].lane, j, block[j].lane[lane]);
        }
      }
    };
    const std::uint64_t words = transfer<ActBytes>(m, base, put);
    return bus(words, ActBytes) + words / Cols * Lanes;
  }

  std::uint64_t store(Memory memory, std::uint64_t base, const Dma& m) {
    const auto put = [&](int at, std::uint64_t addr) { write_word<ActBits>(memory + addr, output_[at]); };
    return bus(transfer<ActBytes>(m, base, put), ActBytes);
  }
};

}  // namespace cd

#endif  // CD_ENGINE_H
