// Top of the synthesis: runs the program in memory; returns a cd::Error.
//
// The five addresses are those of the regions' buffers in `memory`, as in the RTL's registers; `image` is the number
// of the program that is to run, 0 any; `cycles` has an entry for each of the `layers`.
#include "cd_engine.h"
#include "config.h"

int cd_engine(std::uint8_t* memory, std::uint64_t program, std::uint64_t weights, std::uint64_t activations,
              std::uint64_t inputs, std::uint64_t outputs, std::uint32_t image, cd::Cycles* cycles, int layers) {
  CD_HLS(INTERFACE m_axi port = memory offset = slave bundle = gmem)
  CD_HLS(INTERFACE m_axi port = cycles offset = slave bundle = gmem)
  CD_HLS(INTERFACE s_axilite port = program)
  CD_HLS(INTERFACE s_axilite port = weights)
  CD_HLS(INTERFACE s_axilite port = activations)
  CD_HLS(INTERFACE s_axilite port = inputs)
  CD_HLS(INTERFACE s_axilite port = outputs)
  CD_HLS(INTERFACE s_axilite port = image)
  CD_HLS(INTERFACE s_axilite port = layers)
  CD_HLS(INTERFACE s_axilite port = return)
  static cd::Engine<cd::Design> engine;
  const cd::Bases bases{{program, weights, activations, inputs, outputs}};
  return engine.run(memory, bases, image, cycles, layers);
}
