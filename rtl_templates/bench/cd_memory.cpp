// The bench's memory: each job's file mapped into the address space, and its report.
//
// CODESIGN_JOB_DIR/<job>.bin holds the bytes, changed in place; <job>.txt receives one line an event:
//   event <tag> <cycles> <compute busy> <load, compute, drain, store waiting>
//   bytes <tag> <read> <written>
//   count <number> <value>                   (a counter of cd_csr, by its place)
//   done <status register> <cycles>          (status -1: the watchdog)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

uint8_t* memory = nullptr;
size_t memory_bytes = 0;
FILE* report = nullptr;
struct Traffic {
    uint64_t read = 0, written = 0;
};
std::map<int, Traffic> traffic;

void fail(const char* what) {
    std::fprintf(stderr, "cd_memory: %s\n", what);
    std::exit(3);
}

}  // namespace

extern "C" {

void cd_memory_open(int job) {
    const char* folder = std::getenv("CODESIGN_JOB_DIR");
    if (folder == nullptr) fail("CODESIGN_JOB_DIR is not set");
    const std::string stem = std::string(folder) + "/" + std::to_string(job);
    const int file = open((stem + ".bin").c_str(), O_RDWR);
    struct stat info;
    if (file < 0 || fstat(file, &info) != 0) fail("a job's memory cannot be opened");
    memory_bytes = static_cast<size_t>(info.st_size);
    void* place = mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place == MAP_FAILED) fail("a job's memory cannot be mapped");
    memory = static_cast<uint8_t*>(place);
    close(file);
    report = std::fopen((stem + ".txt").c_str(), "w");
    if (report == nullptr) fail("a job's report cannot be written");
    traffic.clear();
}

void cd_memory_close(int status, long long cycles) {
    for (const auto& [tag, count] : traffic) {
        std::fprintf(report, "bytes %d %llu %llu\n", tag, static_cast<unsigned long long>(count.read),
                     static_cast<unsigned long long>(count.written));
    }
    std::fprintf(report, "done %d %lld\n", status, cycles);
    std::fclose(report);
    munmap(memory, memory_bytes);
    memory = nullptr;
}

void cd_memory_event(int tag, long long cycles, int busy, int load, int compute, int drain, int store) {
    std::fprintf(report, "event %d %lld %d %d %d %d %d\n", tag, cycles, busy, load, compute, drain, store);
}

void cd_memory_count(int number, long long value) { std::fprintf(report, "count %d %lld\n", number, value); }

void cd_memory_read(long long addr, int bytes, int tag, uint32_t* data) {
    if (addr < 0 || static_cast<size_t>(addr) + bytes > memory_bytes) fail("a read beyond the memory");
    std::memcpy(data, memory + addr, bytes);
    traffic[tag].read += bytes;
}

void cd_memory_write(long long addr, int bytes, int tag, const uint32_t* data, const uint32_t* strobe) {
    if (addr < 0 || static_cast<size_t>(addr) + bytes > memory_bytes) fail("a write beyond the memory");
    const uint8_t* from = reinterpret_cast<const uint8_t*>(data);
    for (int i = 0; i < bytes; i++) {
        if (strobe[i / 32] >> (i % 32) & 1) memory[addr + i] = from[i];
    }
    traffic[tag].written += bytes;
}

}  // extern "C"
