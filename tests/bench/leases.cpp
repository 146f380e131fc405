// leases.cpp - counts what a history holds: mappings that have ended, those that have not, blocks. Prints one JSON
// object and never writes; for a history whose agent has stopped.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "history/day_reader.h"

using namespace apnat;

namespace {

struct Counts {
  std::uint64_t ended = 0;
  std::uint64_t open = 0;
  std::uint64_t blocks = 0;
};

// A lease that was open at midnight is in two files; the later one knows more.
Result<void> count(const std::filesystem::path& file, Counts& counts) {
  const auto reader = TRY(DayReader::open(file));
  const auto note = [&](const Lease& lease) {
    if (space_of(lease.key) >= kFirstShape) {
      ++counts.blocks;
    } else {
      ++(lease.is_open() ? counts.open : counts.ended);
    }
  };
  std::ranges::for_each(TRY(reader->scan([](const Lease&) { return true; }, [] { return true; })), note);
  return {};
}

Result<Counts> count_all(const std::filesystem::path& folder) {
  Counts counts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".sqlite") TRY_VOID(count(entry.path(), counts));
  }
  return counts;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: bench_leases FOLDER\n");
    return 2;
  }
  const auto counts = count_all(argv[1]);
  if (!counts) {
    fmt::print(stderr, "leases: {}\n", counts.error().text);
    return 1;
  }
  fmt::print("{{\"ended\": {}, \"open\": {}, \"blocks\": {}}}\n", counts->ended, counts->open, counts->blocks);
  return 0;
}
