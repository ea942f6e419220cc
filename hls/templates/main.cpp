// C simulation: the memory image and inputs from files, every run through the engine, the tensors back to a file.
//   main IMAGE INPUTS COUNT TENSORS
// The estimated cycles of each layer are printed, a line each: layer load compute drain store.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cd_status.h"
#include "program.h"

int cd_engine(std::uint8_t* memory, std::uint64_t program, std::uint64_t weights, std::uint64_t activations,
              std::uint64_t inputs, std::uint64_t outputs, std::uint32_t image, cd::Cycles* cycles, int layers);

static std::vector<std::uint8_t> read_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "%s: cannot be read\n", path);
    std::exit(2);
  }
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> chunk(1 << 20);
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file)) {
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(got));
  }
  std::fclose(file);
  return bytes;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s IMAGE INPUTS COUNT TENSORS\n", argv[0]);
    return 2;
  }
  const std::vector<std::uint8_t> image = read_file(argv[1]);
  const std::vector<std::uint8_t> inputs = read_file(argv[2]);
  const std::size_t count = std::strtoul(argv[3], nullptr, 10);
  if (image.size() != cd::kImageBytes || inputs.size() != count * cd::kInputBytes) {
    std::fprintf(stderr, "the files do not belong to this program\n");
    return 2;
  }
  std::FILE* tensors = std::fopen(argv[4], "wb");
  if (tensors == nullptr) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[4]);
    return 2;
  }
  std::vector<cd::Cycles> cycles(cd::kLayers);
  for (std::size_t run = 0; run < count; ++run) {
    // What the run before left behind must not be mistaken for this one's.
    std::vector<std::uint8_t> memory = image;
    std::memcpy(memory.data() + cd::kInputFirst, inputs.data() + run * cd::kInputBytes, cd::kInputBytes);
    const int status =
        cd_engine(memory.data(), cd::kProgramBase, cd::kWeightsBase, cd::kActivationsBase, cd::kInputBase,
                  cd::kOutputBase, cd::kProgramNumber, cycles.data(), cd::kLayers);
    if (status != cd::kDone) {
      std::fprintf(stderr, "the engine stopped with error %d\n", status);
      return 3;
    }
    if (std::memcmp(memory.data() + cd::kTensorBytes, image.data() + cd::kTensorBytes,
                    cd::kImageBytes - cd::kTensorBytes) != 0) {
      std::fprintf(stderr, "the engine wrote into the program or its constants\n");
      return 3;
    }
    if (std::fwrite(memory.data(), 1, cd::kTensorBytes, tensors) != cd::kTensorBytes) return 2;
  }
  for (int layer = 0; layer < cd::kLayers; ++layer) {
    const cd::Cycles& c = cycles[layer];
    std::printf("%d %llu %llu %llu %llu\n", layer, static_cast<unsigned long long>(c.load),
                static_cast<unsigned long long>(c.compute), static_cast<unsigned long long>(c.drain),
                static_cast<unsigned long long>(c.store));
  }
  return std::fclose(tensors) == 0 ? 0 : 2;
}
