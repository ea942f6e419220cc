// What a run gives beside its results.
#ifndef CD_STATUS_H
#define CD_STATUS_H

#include <cstdint>

namespace cd {

// What a run ends with; numbers of cd_types_pkg.sv.
enum Error {
  kDone = 0,
  kErrOpcode = 1,    // unknown opcode, buffer or operation
  kErrRange = 2,     // a count of 0, or an on-chip range beyond its memory
  kErrImage = 5,     // the program was made for other hardware, or is not the one that was announced
  kErrWatchdog = 7,  // a command waits for what no command before it gives: the RTL would hang
};

// What a layer takes of each unit at an initiation interval of one.
struct Cycles {
  std::uint64_t load, compute, drain, store;
};

}  // namespace cd

#endif  // CD_STATUS_H
