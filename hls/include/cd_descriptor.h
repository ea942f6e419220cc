// The program's descriptors, 32 bytes each: what accel_models/program/descriptors.py writes and cd_types_pkg.sv reads.
#ifndef CD_DESCRIPTOR_H
#define CD_DESCRIPTOR_H

#include "cd_int.h"

namespace cd {

constexpr int kDescriptorBytes = 32;
constexpr int kChunk = 16;  // descriptors that are fetched at a time

struct Descriptor {
  std::uint64_t word[kDescriptorBytes / 8];
};

// Takes fields from the least significant bit up.
class Fields {
 public:
  Fields(const Descriptor& descriptor, int at) : d_(descriptor), at_(at) {}

  std::uint64_t take(int bits) {
    CD_HLS(INLINE)
    const int word = at_ / 64;
    const int shift = at_ % 64;
    std::uint64_t value = d_.word[word] >> shift;
    if (shift + bits > 64) value |= d_.word[word + 1] << (64 - shift);
    at_ += bits;
    return value & ((std::uint64_t{1} << bits) - 1);
  }
  int number(int bits) { return static_cast<int>(take(bits)); }
  bool flag() { return take(1) != 0; }
  int signed16() { return static_cast<std::int16_t>(take(16)); }

 private:
  Descriptor d_;
  int at_;
};

enum Opcode { kLoad = 1, kCompute = 2, kDrain = 3, kStore = 4, kEnd = 5, kLayer = 6, kConstants = 7 };
enum Buffer { kInput = 1, kWeight, kParam, kResidual, kOutput, kProgram, kTurned, kTable };
enum Operation { kArray = 1, kDepthwise, kSum, kMax, kSoftmax, kNorm, kGelu };
constexpr int kRegions = 5;  // program, weights, activations, inputs, outputs
constexpr int kTokens = 16;
constexpr int kHeaderBits = 40;

struct Header {
  int opcode, region;
  bool mark;
  int wait, signal;
  std::uint32_t number;  // of the program that the descriptor belongs to
};

inline Header header_of(const Descriptor& d) {
  Fields f(d, 0);
  Header h{};
  h.opcode = f.number(4);
  h.region = f.number(3);
  h.mark = f.flag();
  h.wait = f.number(16);
  h.signal = f.number(16);
  h.number = static_cast<std::uint32_t>(d.word[3] >> 32);
  return h;
}

// count2 x count1 runs of count0 words; the on-chip side is contiguous from base.
struct Dma {
  int buffer, base, count2, count1, count0;
  std::uint64_t stride2, stride1, addr;  // bytes; addr from the region's base
};

inline Dma dma_of(const Descriptor& d) {
  Fields f(d, kHeaderBits);
  Dma m{};
  m.buffer = f.number(4);
  m.base = f.number(20);
  m.count2 = f.number(16);
  m.count1 = f.number(16);
  m.count0 = f.number(20);
  m.stride2 = f.take(32);
  m.stride1 = f.take(32);
  m.addr = f.take(40);
  return m;
}

// What begins a layer: all that its computes and drains share.
struct LayerSetting {
  int high, low;
  std::uint8_t shift;
  std::uint32_t mult;
  bool lookup, broadcast, product, affine, residual, per_channel;
  int narrow, kept;
  bool dual;
  int dilation_w, dilation_h, stride_w, stride_h, s, op, tag;
  std::uint32_t hardware;  // that the program was made for
};

inline LayerSetting layer_of(const Descriptor& d) {
  Fields f(d, kHeaderBits);
  LayerSetting l{};
  l.high = f.signed16();
  l.low = f.signed16();
  l.shift = static_cast<std::uint8_t>(f.take(6));
  l.mult = static_cast<std::uint32_t>(f.take(32));
  l.lookup = f.flag();
  l.broadcast = f.flag();
  l.product = f.flag();
  l.affine = f.flag();
  l.residual = f.flag();
  l.per_channel = f.flag();
  l.narrow = f.number(2);
  l.kept = f.number(4);
  l.dual = f.flag();
  l.dilation_w = f.number(8);
  l.dilation_h = f.number(8);
  l.stride_w = f.number(8);
  l.stride_h = f.number(8);
  l.s = f.number(8);
  l.op = f.number(4);
  l.tag = f.number(16);
  f.take(9);
  l.hardware = static_cast<std::uint32_t>(f.take(32));
  return l;
}

// Behind it, for a residual addition or the non-linear unit; without it these are 0.
struct Constants {
  int high2, low2, shift2;
  std::int64_t m1, m0, arg_mult;
  int arg_shift, shift;
  std::int64_t epsilon;
  bool masked;
};

inline Constants constants_of(const Descriptor& d) {
  Fields f(d, kHeaderBits);
  Constants c{};
  c.high2 = f.signed16();
  c.low2 = f.signed16();
  c.shift2 = f.number(6);
  c.m1 = static_cast<std::int64_t>(f.take(24));
  c.m0 = static_cast<std::int64_t>(f.take(24));
  c.arg_mult = static_cast<std::int64_t>(f.take(20));
  c.arg_shift = f.number(6);
  c.shift = f.number(6);
  c.epsilon = static_cast<std::int64_t>(f.take(61));
  c.masked = f.flag();
  return c;
}

// One tile of work: what a compute descriptor has of its own, and its layer's share.
struct Tile {
  int ab_base, wb_base, ib_base;  // wb_base counts words of Cols weights, of which a stored one may hold several
  bool accumulate;                // add to the accumulators; else overwrite them
  int in_w, in_h, pad_left, pad_top, r, q, p, c, k;
  int s, stride_h, stride_w, dilation_h, dilation_w, narrow, kept;
  bool dual;  // two products with weights of half the width in one multiplication
};

inline Tile tile_of(const Descriptor& d, const LayerSetting& l) {
  Fields f(d, kHeaderBits);
  Tile t{};
  t.ab_base = f.number(20);
  t.wb_base = f.number(22);
  t.ib_base = f.number(20);
  t.accumulate = f.flag();
  t.in_w = f.number(16);
  t.in_h = f.number(16);
  t.pad_left = f.number(8);
  t.pad_top = f.number(8);
  t.r = f.number(8);
  t.q = f.number(16);
  t.p = f.number(16);
  t.c = f.number(16);
  t.k = f.number(16);
  t.s = l.s;
  t.stride_h = l.stride_h;
  t.stride_w = l.stride_w;
  t.dilation_h = l.dilation_h;
  t.dilation_w = l.dilation_w;
  t.narrow = l.narrow;
  t.kept = l.kept;
  t.dual = l.dual;
  return t;
}

// Accumulators to the output buffer: blocks channel words of words pixels.
struct Piece {
  bool lookup_half;
  int words, blocks;
  int pb_base;  // parameters: first channel, in groups of PpuLanes
  int rb_base, ob_base, ab_base;
};

inline Piece piece_of(const Descriptor& d) {
  Fields f(d, kHeaderBits);
  Piece p{};
  p.lookup_half = f.flag();
  p.words = f.number(20);
  p.blocks = f.number(16);
  p.pb_base = f.number(16);
  p.rb_base = f.number(20);
  p.ob_base = f.number(20);
  p.ab_base = f.number(20);
  return p;
}

}  // namespace cd

#endif  // CD_DESCRIPTOR_H
