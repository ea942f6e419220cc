// External memory: packed elements, and tensors in blocks of Lanes channels: [ceil(C / Lanes)][row][column][lane].
#ifndef CD_MEMORY_H
#define CD_MEMORY_H

#include "cd_int.h"

namespace cd {

using Memory = std::uint8_t*;

struct Tensor {
  std::int64_t offset;  // bytes from the start of memory
  int bits;             // 4 (two to a byte, low nibble first), 8 or 16
  int channels, rows, cols;
};

inline std::int64_t read_element(const std::uint8_t* memory, std::int64_t base, std::int64_t index, int bits) {
  CD_HLS(INLINE)
  if (bits == 2) {  // weights alone
    const int part = memory[base + index / 4] >> (index % 4 * 2) & 3;
    return part >= 2 ? part - 4 : part;
  }
  if (bits == 4) {
    const int pair = memory[base + index / 2];
    const int nibble = (index % 2 != 0 ? pair >> 4 : pair) & 15;
    return nibble >= 8 ? nibble - 16 : nibble;
  }
  if (bits == 8) return static_cast<std::int8_t>(memory[base + index]);
  const int low = memory[base + 2 * index];
  return static_cast<std::int16_t>(low | (memory[base + 2 * index + 1] << 8));
}

inline void write_element(Memory memory, std::int64_t base, std::int64_t index, int bits, std::int64_t value) {
  CD_HLS(INLINE)
  if (bits == 4) {
    std::uint8_t& pair = memory[base + index / 2];
    const int nibble = narrow<4>(value) & 15;
    pair = static_cast<std::uint8_t>(index % 2 != 0 ? (pair & 15) | (nibble << 4) : (pair & 240) | nibble);
  } else if (bits == 8) {
    memory[base + index] = static_cast<std::uint8_t>(narrow<8>(value));
  } else {
    const int both = narrow<16>(value);
    memory[base + 2 * index] = static_cast<std::uint8_t>(both);
    memory[base + 2 * index + 1] = static_cast<std::uint8_t>(both >> 8);
  }
}

// A 64- or 32-bit parameter, least significant byte first.
template <int Bytes>
inline std::int64_t read_word(const std::uint8_t* memory, std::int64_t base) {
  CD_HLS(INLINE)
  std::uint64_t value = 0;
  for (int i = 0; i < Bytes; ++i) {
    CD_HLS(UNROLL)
    value |= static_cast<std::uint64_t>(memory[base + i]) << (8 * i);
  }
  return Bytes == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
}

template <int Lanes>
inline std::int64_t element_index(const Tensor& t, int channel, int row, int col) {
  CD_HLS(INLINE)
  return ((static_cast<std::int64_t>(channel / Lanes) * t.rows + row) * t.cols + col) * Lanes + channel % Lanes;
}

template <int Lanes>
inline std::int64_t read_tensor(const std::uint8_t* memory, const Tensor& t, int channel, int row, int col) {
  CD_HLS(INLINE)
  return read_element(memory, t.offset, element_index<Lanes>(t, channel, row, col), t.bits);
}

template <int Lanes>
inline void write_tensor(Memory memory, const Tensor& t, int channel, int row, int col, std::int64_t value) {
  CD_HLS(INLINE)
  write_element(memory, t.offset, element_index<Lanes>(t, channel, row, col), t.bits, value);
}

// Count channels of a pixel, from any channel on: one burst where they lie in one block, two where they do not.
template <int Lanes, typename Element>
inline void read_channels(const std::uint8_t* memory, const Tensor& t, int channel, int row, int col, int count,
                          Element* lanes) {
  int done = 0;
  while (done < count) {
    const int run = min_of(count - done, Lanes - (channel + done) % Lanes);
    const std::int64_t index = element_index<Lanes>(t, channel + done, row, col);
    if (t.bits == 8) {  // the common width, in the form that a compiler turns into one wide access
      for (int i = 0; i < run; ++i) {
        CD_HLS(UNROLL)
        lanes[done + i] = static_cast<Element>(static_cast<std::int8_t>(memory[t.offset + index + i]));
      }
    } else {
      for (int i = 0; i < run; ++i) {
        CD_HLS(UNROLL)
        lanes[done + i] = static_cast<Element>(read_element(memory, t.offset, index + i, t.bits));
      }
    }
    done += run;
  }
}

template <int Lanes, typename Element>
inline void write_channels(Memory memory, const Tensor& t, int channel, int row, int col, int count,
                           const Element* lanes) {
  for (int i = 0; i < count; ++i) {
    CD_HLS(UNROLL)
    write_tensor<Lanes>(memory, t, channel + i, row, col, lanes[i]);
  }
}

}  // namespace cd

#endif  // CD_MEMORY_H
