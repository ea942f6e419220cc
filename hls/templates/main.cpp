// C simulation: memory image and inputs from files, every image through the engine, the tensors back to a file.
//   main IMAGE INPUTS COUNT OUTPUTS
// The estimated cycles of each step are printed, a line each: layer load compute store total.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cd_layer.h"
#include "program.h"

void cd_engine(std::uint8_t* memory, cd::Cycles* cycles);

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
    std::fprintf(stderr, "usage: %s IMAGE INPUTS COUNT OUTPUTS\n", argv[0]);
    return 2;
  }
  std::vector<std::uint8_t> memory = read_file(argv[1]);
  const std::vector<std::uint8_t> inputs = read_file(argv[2]);
  const std::size_t count = std::strtoul(argv[3], nullptr, 10);
  if (memory.size() != cd::kImageBytes || inputs.size() != count * cd::kInputBytes) {
    std::fprintf(stderr, "the files do not belong to this program\n");
    return 2;
  }
  std::FILE* outputs = std::fopen(argv[4], "wb");
  if (outputs == nullptr) {
    std::fprintf(stderr, "%s: cannot be written\n", argv[4]);
    return 2;
  }
  std::vector<cd::Cycles> cycles(cd::kSteps);
  for (std::size_t image = 0; image < count; ++image) {
    std::memcpy(memory.data(), inputs.data() + image * cd::kInputBytes, cd::kInputBytes);
    // What the image before left behind must not be mistaken for this one's.
    std::memset(memory.data() + cd::kInputBytes, 0, cd::kTensorBytes - cd::kInputBytes);
    cd_engine(memory.data(), cycles.data());
    if (std::fwrite(memory.data(), 1, cd::kTensorBytes, outputs) != cd::kTensorBytes) return 2;
  }
  for (int step = 0; step < cd::kSteps; ++step) {
    const cd::Cycles& c = cycles[step];
    std::printf("%d %llu %llu %llu %llu\n", cd::kProgram[step].id, static_cast<unsigned long long>(c.load),
                static_cast<unsigned long long>(c.compute), static_cast<unsigned long long>(c.store),
                static_cast<unsigned long long>(c.total));
  }
  return std::fclose(outputs) == 0 ? 0 : 2;
}
