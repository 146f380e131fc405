// Every frame of the fuzzer's corpus through both hosts of the translator: equal
// verdicts, equal bytes. What the native core does under sanitizers is what the
// loaded program does.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core_native.h"
#include "fuzz/frame_world.h"

using namespace apnat::test;

namespace {

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// Ports that chance chose (which block) and the interface's own MAC address differ between the two.
bool differs_by_host(enum verdict verdict) {
  return verdict == VERDICT_TRANSLATED_OUTBOUND || verdict == VERDICT_HAIRPINNED || verdict == VERDICT_ARP_ANSWERED;
}

Bytes without_link_header(const Bytes& frame) { return Bytes(frame.begin() + 12, frame.end()); }

}  // namespace

TEST_CASE("the corpus ends alike on the native core and in the kernel", "[SEC-25][corpus]") {
  if (geteuid() != 0) {
    WARN("not root: the programs cannot be loaded");
    return;
  }
  auto here = native(fuzzed_gateway());
  auto there = kernel(fuzzed_gateway());
  open_some(*here);
  open_some(*there);
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(APNAT_SOURCE_DIR "/tests/fuzz/corpus/frame")) {
    const Bytes input = read_file(entry.path());
    if (input.size() < 15) continue;
    Bytes one(input.begin() + 1, input.end()), other = one;
    const auto in_memory = here->frame(side_of(here->world(), input[0]), one);
    const auto in_kernel = there->frame(side_of(there->world(), input[0]), other);
    INFO(entry.path().filename().string());
    INFO(core_verdict_name(in_memory.verdict) << " natively, " << core_verdict_name(in_kernel.verdict) << " in the kernel");
    CHECK(in_memory.verdict == in_kernel.verdict);
    if (!differs_by_host(in_memory.verdict)) CHECK(without_link_header(one) == without_link_header(other));
    ++count;
  }
  CHECK(count > 50);
}
