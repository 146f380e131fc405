#include "support/translator.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "core_native.h"
#include "support/memory_world.h"

namespace apnat::test {
namespace {

constexpr std::size_t kLinkHeader = 14;

// The frame in memory of its own, ending where the block ends: one byte too far is an ASan report. IPv4 stands at
// 2 mod 4, as in the kernel, so the block begins 2 bytes early.
Outcome run_native(MemoryWorld& world, std::uint32_t ifindex, Bytes& frame) {
  const std::unique_ptr<std::uint8_t[]> block(new std::uint8_t[frame.size() + 2]);
  std::copy(frame.begin(), frame.end(), block.get() + 2);
  core_result result{};
  core_translate(&MemoryWorld::verbs(), &world, block.get() + 2, frame.size(), ifindex, &result);
  std::copy(block.get() + 2, block.get() + 2 + frame.size(), frame.begin());
  return {result.verdict, {}};
}

class NativeTranslator : public Translator {
 public:
  explicit NativeTranslator(const NatSpec& spec) : world_(spec) {}
  std::string name() const override { return "native"; }
  World& world() override { return world_; }
  Outcome frame(std::uint32_t ifindex, Bytes& frame) override { return run_native(world_, ifindex, frame); }
  std::vector<event_record> take_events() override {
    std::vector<event_record> events(world_.events().begin(), world_.events().end());
    world_.forget_events();
    return events;
  }
  void refuse_events(bool refuse) override { world_.refuse_events(refuse); }

 private:
  MemoryWorld world_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << core_verdict_name(outcome.verdict) << '\n' << outcome.packet.text();
}

Bytes link_frame(const Packet& packet, std::uint16_t ethertype) {
  Bytes frame(kLinkHeader + packet.bytes().size());
  frame[0] = frame[6] = 2;
  frame[5] = 1;
  frame[11] = 2;
  frame[12] = static_cast<std::uint8_t>(ethertype >> 8);
  frame[13] = static_cast<std::uint8_t>(ethertype);
  std::copy(packet.bytes().begin(), packet.bytes().end(), frame.begin() + kLinkHeader);
  return frame;
}

Outcome Translator::send(std::uint32_t ifindex, const Packet& packet) {
  Bytes bytes = link_frame(packet);
  Outcome outcome = frame(ifindex, bytes);
  outcome.packet = Packet(Bytes(bytes.begin() + kLinkHeader, bytes.end()));
  return outcome;
}

void Translator::age(std::uint32_t seconds) {
  const auto ticks = static_cast<std::uint32_t>((std::uint64_t{seconds} * 1'000'000'000 >> TICK_SHIFT) + 1);
  for (std::uint32_t tables = 0; tables < 2; ++tables)
    for (std::uint32_t set = 0; set < SETS_PER_ADDRESS; ++set)
      for (auto& mapping : world().mapping_set(tables, set).slot)
        if (mapping.key != 0) mapping.last_seen -= ticks;
}

std::size_t Translator::count_mappings(std::uint32_t tables) {
  std::size_t count = 0;
  for (std::uint32_t set = 0; set < SETS_PER_ADDRESS; ++set)
    for (const auto& mapping : world().mapping_set(tables, set).slot) count += mapping.key != 0;
  return count;
}

std::unique_ptr<Translator> native(const NatSpec& spec) { return std::make_unique<NativeTranslator>(spec); }

std::vector<std::string> translators() {
  if (std::getenv("APNAT_NATIVE_ONLY") != nullptr) return {"native"};
  if (geteuid() == 0) return {"native", "kernel"};
  fmt::print(stderr, "not root: the stories run on the native translator only\n");
  return {"native"};
}

std::unique_ptr<Translator> translator(const std::string& name, const NatSpec& spec) {
  return name == "kernel" ? kernel(spec) : native(spec);
}

}  // namespace apnat::test
