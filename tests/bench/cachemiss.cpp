// cachemiss.cpp - what this machine takes for one load that misses its caches, in ns:
// a walk through 256 MiB in random order, each step's address in the line before. At
// a million mappings this, not the instruction, is the unit of cost.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kLines = (256U << 20) / kLineBytes;
constexpr int kSteps = 2'000'000;

struct Line {
  Line* next;
  char rest[kLineBytes - sizeof(Line*)];
};

double processor_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Small pages, as the kernel's own tables have.
Line* lines_in_one_circle() {
  void* memory = mmap(nullptr, kLines * kLineBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  madvise(memory, kLines * kLineBytes, MADV_NOHUGEPAGE);
  auto* lines = static_cast<Line*>(memory);
  std::vector<std::uint32_t> order(kLines);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  for (std::size_t i = kLines - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);
  for (std::size_t i = 0; i < kLines; ++i) lines[order[i]].next = &lines[order[(i + 1) % kLines]];
  return lines;
}

}  // namespace

int main() {
  Line* line = lines_in_one_circle();
  if (!line) return 1;
  const double started = processor_ns();
  for (int step = 0; step < kSteps; ++step) line = line->next;
  const double each = (processor_ns() - started) / kSteps;
  std::printf("%.1f\n", line ? each : 0);
  return 0;
}
