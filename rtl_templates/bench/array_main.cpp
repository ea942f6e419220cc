// Runs many tiles on one compiled PE array: memories and accumulators are here, the array is the top module.
//
// stdin, little endian, for each tile: uint32 { idle cycles before the command, watchdog cycles, input words, weight
// words, accumulator words, command bytes, cycle of a reset (0: none; the tile then runs anew) }, then the command, the
// input and weight words (whole bytes a word), and the accumulators (int64 a lane). stdout, for each tile: uint64
// { cycles, input reads, weight reads, accumulator writes, fault }, then the accumulators. Data inputs hold noise in
// every cycle that no request precedes by two.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr unsigned kLanes = CD_LANES;
constexpr unsigned kInputBytes = kLanes * CD_ACT_BITS / 8;
#if CD_INPUT_PAIR
constexpr uint32_t kAddressMask = (1u << CD_ADDRESS_BITS) - 1;
#endif
constexpr unsigned kWeightBytes = CD_COLS * CD_WEIGHT_BITS / 8;
constexpr uint64_t kNever = ~uint64_t{0} / 2;

enum Fault : uint64_t {
  kNone = 0,
  kWatchdog = 1,
  kInputAddress = 2,
  kWeightAddress = 4,
  kAccumulatorAddress = 8,
  kWriteTooSoon = 16,
  kReadyWhileBusy = 32,
  kNotReady = 64,
  kWriteAfterDone = 128,
  kDoneWithoutWrite = 256,
};

void read_exactly(void* into, size_t bytes) {
  if (std::fread(into, 1, bytes, stdin) != bytes) std::exit(2);
}

// Verilator keeps every vector, narrow or wide, as little-endian words: bytes can be copied.
template <typename Port>
void drive(Port& port, const uint8_t* from, size_t bytes) {
  std::memcpy(static_cast<void*>(&port), from, bytes);
}

template <typename Port>
void drive_noise(Port& port, size_t bytes, uint64_t& state) {
  uint8_t noise[512];
  for (size_t i = 0; i < bytes; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    noise[i] = static_cast<uint8_t>(state >> 56);
  }
  drive(port, noise, bytes);
}

template <typename Port>
int64_t lane(const Port& port, unsigned index) {
  uint8_t bytes[8] = {0};
  std::memcpy(bytes, reinterpret_cast<const uint8_t*>(&port) + index * (CD_ACC_BITS / 8), CD_ACC_BITS / 8);
  uint64_t value;
  std::memcpy(&value, bytes, 8);
  return static_cast<int64_t>(value << (64 - CD_ACC_BITS)) >> (64 - CD_ACC_BITS);
}

}  // namespace

int main() {
  VerilatedContext context;
  context.randReset(2);
  Vtop top{&context};
  uint64_t noise = 1;

  auto clock = [&] {
    top.clk_i = 1;
    top.eval();
    top.clk_i = 0;
  };

  auto reset = [&] {
    top.cmd_valid_i = 0;
    top.rst_ni = 0;
    top.eval();
    clock();
    top.rst_ni = 1;
    top.eval();
  };

  top.clk_i = 0;
  top.rst_ni = 1;
  top.eval();
  reset();

  uint32_t head[7];
  while (std::fread(head, 1, sizeof head, stdin) == sizeof head) {
    const uint32_t idle = head[0], watchdog = head[1], input_words = head[2], weight_words = head[3];
    const uint32_t acc_words = head[4], command_bytes = head[5], reset_at = head[6];
    std::vector<uint8_t> command(command_bytes), input(size_t{input_words} * kInputBytes);
    std::vector<uint8_t> weight(size_t{weight_words} * kWeightBytes);
    std::vector<int64_t> acc(size_t{acc_words} * kLanes);
    std::vector<uint64_t> written(acc_words, kNever);
    read_exactly(command.data(), command.size());
    read_exactly(input.data(), input.size());
    read_exactly(weight.data(), weight.size());
    read_exactly(acc.data(), acc.size() * sizeof(int64_t));
    const std::vector<int64_t> before = acc;

    uint64_t fault = kNone, cycles = 0, input_reads = 0, weight_reads = 0, writes = 0;
    bool input_valid = false, weight_valid = false, running = false, finished = false, reset_done = reset_at == 0;
    uint32_t input_at = 0, weight_at = 0;
    // Of the cycle before: what is inside the memories, whose registers come behind.
    bool input_read = false, weight_read = false;
    uint32_t input_from = 0, weight_from = 0;
#if CD_INPUT_PAIR
    bool next_valid = false, next_read = false;  // the word behind
    uint32_t next_at = 0, next_from = 0;
#endif
    drive(top.cmd_i, command.data(), command.size());
    // A few cycles after done show that nothing is written late.
    for (uint64_t cycle = 0, after = 0; after < 8; ++cycle) {
      top.cmd_valid_i = cycle >= idle && !running && !finished;
      if (input_read) drive(top.ib_data_i, &input[size_t{input_from} * kInputBytes], kInputBytes);
      else drive_noise(top.ib_data_i, kInputBytes, noise);
#if CD_INPUT_PAIR
      if (next_read) drive(top.ib_next_i, &input[size_t{next_from} * kInputBytes], kInputBytes);
      else drive_noise(top.ib_next_i, kInputBytes, noise);
#endif
      if (weight_read) drive(top.wb_data_i, &weight[size_t{weight_from} * kWeightBytes], kWeightBytes);
      else drive_noise(top.wb_data_i, kWeightBytes, noise);
      top.eval();

      const bool accepted = top.cmd_valid_i && top.cmd_ready_o;
      if (running && top.cmd_ready_o) fault |= kReadyWhileBusy;
      if (!running && !top.cmd_ready_o) fault |= kNotReady;
      if (accepted) running = true;
      if (running) ++cycles;
      input_read = input_valid;
      input_from = input_at;
      weight_read = weight_valid;
      weight_from = weight_at;
      input_valid = top.ib_req_o;
      weight_valid = top.wb_req_o;
      input_at = top.ib_addr_o;
      weight_at = top.wb_addr_o;
      input_reads += input_valid;
      weight_reads += weight_valid;
#if CD_INPUT_PAIR
      next_read = next_valid;
      next_from = next_at;
      next_valid = top.ib_pair_o;
      next_at = (top.ib_addr_o + 1) & kAddressMask;
      input_reads += next_valid;
      if (next_valid && next_at >= input_words) {
        fault |= kInputAddress;
        next_at = 0;
      }
#endif
      if (input_valid && input_at >= input_words) {
        fault |= kInputAddress;
        input_at = 0;
      }
      if (weight_valid && weight_at >= weight_words) {
        fault |= kWeightAddress;
        weight_at = 0;
      }
      if (top.acc_valid_o) {
        ++writes;
        const uint32_t at = top.acc_addr_o;
        if (!running) fault |= kWriteAfterDone;
        if (at >= acc_words) {
          fault |= kAccumulatorAddress;
        } else {
          if (!top.acc_first_o && written[at] != kNever && cycle - written[at] < 4) fault |= kWriteTooSoon;
          written[at] = cycle;
          for (unsigned i = 0; i < kLanes; ++i) {
            if (!(static_cast<uint64_t>(top.acc_mask_o) >> i & 1)) continue;
            int64_t& value = acc[size_t{at} * kLanes + i];
            const uint64_t former = static_cast<uint64_t>(top.acc_first_o ? 0 : value);
            const uint64_t sum = former + static_cast<uint64_t>(lane(top.acc_data_o, i));
            value = static_cast<int64_t>(sum << (64 - CD_ACC_BITS)) >> (64 - CD_ACC_BITS);
          }
        }
      }
      if (finished) ++after;
      if (top.done_o) {
        if (!top.acc_valid_o) fault |= kDoneWithoutWrite;
        if (!running) fault |= kWriteAfterDone;
        running = false;
        finished = true;
      }
      if (cycles > watchdog) {
        fault |= kWatchdog;
        after = 8;
      }
      clock();
      if (!reset_done && cycles == reset_at) {
        reset_done = true;
        reset();
        acc = before;
        written.assign(acc_words, kNever);
        cycles = input_reads = weight_reads = writes = 0;
        input_valid = weight_valid = input_read = weight_read = running = finished = false;
#if CD_INPUT_PAIR
        next_valid = next_read = false;
#endif
      }
    }
    // Back to a known state where the tile hung.
    if (fault & kWatchdog) reset();
    const uint64_t tail[5] = {cycles, input_reads, weight_reads, writes, fault};
    std::fwrite(tail, 1, sizeof tail, stdout);
    std::fwrite(acc.data(), sizeof(int64_t), acc.size(), stdout);
  }
  top.final();
  return 0;
}
