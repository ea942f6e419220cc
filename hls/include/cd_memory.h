// Load and store: strided transfers between external memory and the on-chip buffers.
#ifndef CD_MEMORY_H
#define CD_MEMORY_H

#include "cd_tile.h"

namespace cd {

using Memory = std::uint8_t*;

// Calls word(on-chip word, byte address) for each word of a transfer, in order; returns the words.
template <int WordBytes, typename Each>
inline std::uint64_t transfer(const Dma& m, std::uint64_t base, Each word) {
  int at = m.base;
  for (int i2 = 0; i2 < m.count2; ++i2) {
    for (int i1 = 0; i1 < m.count1; ++i1) {
      const std::uint64_t run = base + m.addr + i2 * m.stride2 + i1 * m.stride1;
      for (int i0 = 0; i0 < m.count0; ++i0, ++at) {
        CD_HLS(PIPELINE II = 1)
        word(at, run + static_cast<std::uint64_t>(i0) * WordBytes);
      }
    }
  }
  return static_cast<std::uint64_t>(m.count2) * m.count1 * m.count0;
}

// A word of packed elements.
template <int Bits, typename Element, int Count>
inline void read_word(const std::uint8_t* bytes, Word<Element, Count>& word) {
  CD_HLS(INLINE)
  for (int i = 0; i < Count; ++i) {
    CD_HLS(UNROLL)
    word.lane[i] = static_cast<Element>(element_of<Bits>(bytes, i));
  }
}

template <int Bits, typename Element, int Count>
inline void write_word(std::uint8_t* bytes, const Word<Element, Count>& word) {
  CD_HLS(INLINE)
  for (int i = 0; i < Count; ++i) {
    CD_HLS(UNROLL)
    put_element<Bits>(bytes, i, word.lane[i]);
  }
}

// An unsigned number, least significant byte first.
template <int Bytes>
inline std::uint64_t read_number(const std::uint8_t* bytes) {
  CD_HLS(INLINE)
  std::uint64_t value = 0;
  for (int i = 0; i < Bytes; ++i) {
    CD_HLS(UNROLL)
    value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

}  // namespace cd

#endif  // CD_MEMORY_H
