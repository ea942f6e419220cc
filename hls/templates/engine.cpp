// Top of the synthesis: the whole network, one memory.
#include "cd_engine.h"
#include "config.h"
#include "program.h"

void cd_engine(std::uint8_t* memory, cd::Cycles* cycles) {
  CD_HLS(INTERFACE m_axi port = memory offset = slave bundle = gmem)
  CD_HLS(INTERFACE m_axi port = cycles offset = slave bundle = gmem)
  CD_HLS(INTERFACE s_axilite port = return)
  for (int step = 0; step < cd::kSteps; ++step) {
    cycles[step] = cd::run_layer<cd::Design>(memory, cd::kTensors, cd::kProgram[step]);
  }
}
