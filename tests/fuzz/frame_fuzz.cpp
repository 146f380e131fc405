// Any frames on any interface of some gateway: each ends in a verdict, nothing is read or written beyond the frame,
// what is not translated is not touched, and what leaves is what a NAT may let leave.
#include <cstdlib>
#include <functional>
#include <memory>

#include "core_native.h"
#include "support/frame_script.h"
#include "support/memory_world.h"

using namespace apnat::test;

namespace {

void promise(bool kept) {
  if (!kept) std::abort();
}

// A gateway whose tables are as before after each script: every row that is handed out to be written is copied first.
class FuzzWorld : public MemoryWorld {
 public:
  explicit FuzzWorld(const NatSpec& spec) : MemoryWorld(spec) {}

  static const core_verbs& undoing_verbs();
  void* self() { return static_cast<MemoryWorld*>(this); }

  void undo() {
    for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) (*step)();
    undo_.clear();
    forget_events();
  }

 private:
  template <typename Row>
  static Row* keep(void* self, Row* row) {
    if (row)
      static_cast<FuzzWorld&>(*static_cast<MemoryWorld*>(self)).undo_.push_back([row, old = *row] { *row = old; });
    return row;
  }

  std::vector<std::function<void()>> undo_;
};

const core_verbs& FuzzWorld::undoing_verbs() {
  static const core_verbs& plain = MemoryWorld::verbs();
  static core_verbs verbs = plain;
  verbs.find_node_state = [](void* self) { return keep(self, plain.find_node_state(self)); };
  verbs.find_subscriber = [](void* self, std::uint32_t i) { return keep(self, plain.find_subscriber(self, i)); };
  verbs.find_external_address = [](void* self, std::uint32_t i) {
    return keep(self, plain.find_external_address(self, i));
  };
  verbs.find_pool_activity = [](void* self, std::uint32_t i) { return keep(self, plain.find_pool_activity(self, i)); };
  verbs.find_mapping_set = [](void* self, std::uint32_t t, std::uint32_t i) {
    return keep(self, plain.find_mapping_set(self, t, i));
  };
  verbs.find_creation_set = [](void* self, std::uint32_t t, std::uint32_t i) {
    return keep(self, plain.find_creation_set(self, t, i));
  };
  verbs.find_port_block = [](void* self, std::uint32_t t, std::uint32_t i) {
    return keep(self, plain.find_port_block(self, t, i));
  };
  return verbs;
}

// In memory of its own, so that one byte too far is seen; IPv4 at 2 mod 4, as in the kernel.
core_result translate(FuzzWorld& world, const core_verbs& verbs, std::uint32_t ifindex, Bytes& frame) {
  const std::unique_ptr<std::uint8_t[]> block(new std::uint8_t[frame.size() + 2]);
  std::copy(frame.begin(), frame.end(), block.get() + 2);
  core_result result{};
  core_translate(&verbs, world.self(), block.get() + 2, frame.size(), ifindex, &result);
  std::copy_n(block.get() + 2, frame.size(), frame.begin());
  return result;
}

// furnish() wants a Translator.
class Furnisher : public Translator {
 public:
  explicit Furnisher(FuzzWorld& world) : world_(world) {}
  std::string name() const override { return "fuzz"; }
  World& world() override { return world_; }
  Outcome frame(std::uint32_t ifindex, Bytes& frame) override {
    return {translate(world_, MemoryWorld::verbs(), ifindex, frame).verdict, {}};
  }
  std::vector<event_record> take_events() override { return {}; }
  void refuse_events(bool) override {}

 private:
  FuzzWorld& world_;
};

// Routing says yes, but for destinations whose last octet is high: each answer has some of these.
core_route_result answer_route(core_route& route) {
  const std::uint32_t last_octet = route.destination >> 24;
  route.egress_ifindex = kOutsideIfindex;
  return last_octet < 0xe0 ? CORE_ROUTE_FOUND
                           : static_cast<core_route_result>(last_octet % (CORE_ROUTE_FORWARDING_OFF + 1));
}

std::vector<std::unique_ptr<FuzzWorld>> make_worlds() {
  std::vector<std::unique_ptr<FuzzWorld>> worlds;
  for (const NatSpec& spec : script_gateways()) {
    worlds.push_back(std::make_unique<FuzzWorld>(spec));
    Furnisher furnisher(*worlds.back());
    furnish(furnisher);
    worlds.back()->answer_routes(answer_route);
    worlds.back()->forget_events();
  }
  return worlds;
}

Packet datagram(const Bytes& frame, std::size_t offset) {
  return Packet(Bytes(frame.begin() + static_cast<std::ptrdiff_t>(offset), frame.end()));
}

bool is_finished_by_kernel(enum verdict verdict) {
  return verdict == VERDICT_NEIGHBOUR_PENDING || verdict == VERDICT_FRAGMENTED_BY_KERNEL ||
         verdict == VERDICT_EGRESS_BY_KERNEL;
}

bool is_internal(const std::string& address) { return address.starts_with("100.64."); }

// `before` went in, `after` came out translated.
void check_translated(const Packet& before, const Packet& after, const core_result& result) {
  const bool forwarded = core_fate(result.verdict) == FATE_FORWARD;
  promise(after.ttl() + (forwarded ? 1 : 0) == before.ttl());
  promise(sum_of(after.bytes(), 0, after.transport_offset()) == 0xffff);
  promise(!before.has_right_checksums() || after.has_right_checksums());
  if (result.outbound) promise(after.source().starts_with("192.0.2."));
  if (!result.outbound || result.hairpin) promise(is_internal(after.destination()));
  if (!result.outbound) promise(after.source() == before.source());
  if (result.outbound && !result.hairpin) promise(after.destination() == before.destination());
}

void run(FuzzWorld& world, const ScriptFrame& script) {
  const Bytes& sent = script.bytes;
  Bytes left = sent;
  const std::uint32_t ifindex = script.flags & kFrameOutside ? kOutsideIfindex : kInsideIfindex;
  const core_result result = translate(world, FuzzWorld::undoing_verbs(), ifindex, left);

  promise(result.verdict > VERDICT_CONTINUE && result.verdict < VERDICT_COUNT);
  promise(result.verdict != VERDICT_TABLE_MISSING && result.verdict != VERDICT_SUBSCRIBER_BUSY);
  if (result.verdict == VERDICT_ARP_ANSWERED) return;
  const bool translated = core_fate(result.verdict) == FATE_FORWARD || is_finished_by_kernel(result.verdict);
  if (translated)
    check_translated(datagram(sent, result.network_offset), datagram(left, result.network_offset), result);
  else
    promise(left == sent);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto worlds = make_worlds();
  const FrameScript script = read_script(Bytes(data, data + size));
  FuzzWorld& world = *worlds[script.gateway];
  for (const ScriptFrame& frame : script.frames) run(world, frame);
  world.undo();
  return 0;
}
