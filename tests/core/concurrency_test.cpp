// Several processors and the agent's sweep over the same tables: one mapping for an endpoint, one owner for a slot,
// counts that add up. The threads run the native core; what they share is what processors share.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core_native.h"
#include "net/address.h"
#include "support/memory_world.h"
#include "support/story.h"

using namespace apnat::test;

namespace {

// A world whose verbs many threads may ask at once: the clock, chance and the ring are the only ones that write.
class SharedWorld : public MemoryWorld {
 public:
  explicit SharedWorld(const NatSpec& spec) : MemoryWorld(spec), clock_(MemoryWorld::now_ticks()) {
    for (std::uint32_t tables = 0; tables < kAddresses; ++tables) {  // made before they are shared
      mapping_set(tables, 0);
      creation_set(tables, 0);
      port_block(tables, 0);
    }
  }

  enum verdict translate(std::uint32_t ifindex, Packet& packet) {
    static const core_verbs verbs = shared_verbs();
    const Bytes sent = link_frame(packet);
    std::vector<std::uint8_t> frame(sent.size() + 2);
    std::copy(sent.begin(), sent.end(), frame.begin() + 2);
    core_result result{};
    core_translate(&verbs, static_cast<MemoryWorld*>(this), frame.data() + 2, sent.size(), ifindex, &result);
    packet = Packet(Bytes(frame.begin() + 16, frame.end()));
    return result.verdict;
  }

  // What another processor does while this one looks up when IDs were used, or has its record in the ring.
  void during_id_look_up(std::function<void()> work) { during_id_look_up_ = std::move(work); }
  void during_announcement(std::function<void()> work) { during_announcement_ = std::move(work); }

  void advance(std::uint32_t ticks) { clock_ += ticks; }
  std::uint32_t clock() const { return clock_; }
  const std::vector<event_record>& told() const { return told_; }
  static constexpr std::uint32_t kAddresses = 4;

 private:
  static SharedWorld& shared(void* self) { return static_cast<SharedWorld&>(*static_cast<MemoryWorld*>(self)); }
  static core_verbs shared_verbs() {
    core_verbs verbs = MemoryWorld::verbs();
    verbs.now_ticks = [](void* self) { return shared(self).clock_.load(); };
    verbs.now_monotonic_ns = [](void* self) { return std::uint64_t{shared(self).clock_} << TICK_SHIFT; };
    verbs.now_tai_ns = verbs.now_monotonic_ns;
    verbs.random_u32 = [](void*) {
      thread_local std::uint32_t state =
          static_cast<std::uint32_t>(std::hash<std::thread::id>{}(std::this_thread::get_id()));
      return state = state * 1664525 + 1013904223;
    };
    verbs.reserve_event = [](void*) {
      thread_local event_record record;
      return &record;
    };
    verbs.submit_event = [](void* self, event_record* record) {
      const std::lock_guard guard(shared(self).mutex_);
      shared(self).told_.push_back(*record);
      if (shared(self).during_announcement_) shared(self).during_announcement_();
    };
    verbs.find_ipv4_id_laps = [](void* self, std::uint32_t row) {
      if (const auto work = std::exchange(shared(self).during_id_look_up_, nullptr)) work();
      return MemoryWorld::verbs().find_ipv4_id_laps(self, row);
    };
    return verbs;
  }

  std::function<void()> during_id_look_up_;
  std::function<void()> during_announcement_;
  std::atomic<std::uint32_t> clock_;
  std::mutex mutex_;
  std::vector<event_record> told_;
};

constexpr int kThreads = 4;

template <typename Work>
void in_parallel(Work work) {
  std::vector<std::thread> threads;
  std::atomic<int> ready = 0;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();  // all at once
      work(thread);
    });
  for (auto& thread : threads) thread.join();
}

// Every mapping that stands in the tables: (tables, class, slot) by key without generation.
std::multimap<std::uint64_t, std::uint32_t> mappings_of(SharedWorld& world) {
  std::multimap<std::uint64_t, std::uint32_t> found;
  for (std::uint32_t tables = 0; tables < SharedWorld::kAddresses; ++tables)
    for (std::uint32_t set = 0; set < SETS_PER_ADDRESS; ++set)
      for (std::uint32_t n = 0; n < SET_SLOTS; ++n) {
        const std::uint64_t key = world.mapping_set(tables, set).slot[n].key;
        if (key != 0) found.emplace(key & KEY_MASK, (tables * SETS_PER_ADDRESS + set) * SET_SLOTS + n);
      }
  return found;
}

NatSpec busy_spec() {
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.pools[0].external = "192.0.2.0/30";
  spec.pools[0].max_blocks = 8;
  return spec;
}

// What the agent's sweeper does to a mapping whose time has been up for the margin (datapath/sweeper.cpp).
int sweep(SharedWorld& world) {
  int freed = 0;
  const std::uint32_t now = world.clock();
  for (std::uint32_t tables = 0; tables < SharedWorld::kAddresses; ++tables)
    for (std::uint32_t set = SETS_PER_CLASS; set < 2 * SETS_PER_CLASS; ++set)
      for (auto& mapping : world.mapping_set(tables, set).slot) {
        __u64 key = std::atomic_ref(mapping.key).load();
        if (key == 0) continue;
        const std::uint32_t age = now - std::atomic_ref(mapping.last_seen).load();
        if (static_cast<std::int32_t>(age) <= static_cast<std::int32_t>(world.options().udp_ticks + RECLAIM_MARGIN))
          continue;
        freed += std::atomic_ref(mapping.key).compare_exchange_strong(key, 0);
      }
  return freed;
}

}  // namespace

TEST_CASE("many processors opening the same endpoints open each once", "[UDP-1][SHARE-6]") {
  constexpr int kSubscribers = 8, kPorts = 400;
  SharedWorld world(busy_spec());
  std::array<std::map<std::string, std::string>, kThreads> seen;
  std::atomic<int> refused = 0;
  in_parallel([&](int thread) {
    for (int i = 0; i < kSubscribers * kPorts; ++i) {
      // Two and two threads work through the endpoints in the same order.
      const int n = thread < 2 ? i : kSubscribers * kPorts - 1 - i;
      const std::string who = "100.64.0." + std::to_string(n % kSubscribers);
      const int port = 5000 + n / kSubscribers;
      Packet packet = udp(who, port, kR1, 53);
      const auto verdict = world.translate(kInsideIfindex, packet);
      if (verdict == VERDICT_TRANSLATED_OUTBOUND)
        seen[static_cast<std::size_t>(thread)][who + ":" + std::to_string(port)] = packet.source_endpoint();
      else if (verdict == VERDICT_SUBSCRIBER_BUSY)
        ++refused;  // a thread that holds the lock was put to sleep
      else
        FAIL("verdict " << core_verdict_name(verdict));
    }
  });
  std::map<std::string, std::string> all;
  for (const auto& one : seen)
    for (const auto& [internal, external] : one) {
      const auto [at, is_new] = all.emplace(internal, external);
      if (!is_new) REQUIRE(at->second == external);
    }
  std::set<std::string> external;
  for (const auto& [_, endpoint] : all) external.insert(endpoint);
  CHECK(external.size() == all.size());
  const auto standing = mappings_of(world);
  CHECK(standing.size() == all.size());
  for (auto at = standing.begin(); at != standing.end(); ++at) REQUIRE(standing.count(at->first) == 1);
  if (refused == 0) CHECK(all.size() == kSubscribers * kPorts);
}

TEST_CASE("blocks are owned once, counted right, and every number is told", "[LOG-1][LOG-7]") {
  SharedWorld world(busy_spec());
  in_parallel([&](int thread) {
    for (int n = 0; n < 256; ++n) {
      Packet packet = udp("100.64.0." + std::to_string((n + 64 * thread) % 256), 5000 + thread, kR1, 53);
      world.translate(kInsideIfindex, packet);
    }
  });
  std::map<std::uint32_t, int> blocks_of;
  std::uint32_t owned = 0;
  for (std::uint32_t tables = 0; tables < SharedWorld::kAddresses; ++tables)
    for (std::uint32_t block = 0; block < BLOCKS_PER_ADDRESS; ++block)
      if (const auto owner = world.port_block(tables, block).owner_plus_one; owner != 0) {
        ++owned;
        ++blocks_of[owner];
      }
  CHECK(owned == 256);
  CHECK(blocks_of.size() == 256);
  std::uint32_t counted = 0;
  for (std::uint32_t row = 0; row < 4; ++row) counted += world.external_address(row).blocks_owned;
  CHECK(counted == owned);
  std::set<std::uint64_t> numbers;
  for (const auto& event : world.told()) numbers.insert(event.seq);
  CHECK(world.told().size() == 256);
  CHECK(numbers.size() == 256);
  CHECK(*numbers.rbegin() == 256);
}

TEST_CASE("a sweep under way ends no mapping that lives, and what it freed is opened again", "[CGN-25][UDP-7]") {
  constexpr int kPorts = 200;
  SharedWorld world(busy_spec());
  std::atomic<bool> done = false;
  std::atomic<int> lost = 0, freed = 0, opened = 0;
  std::thread sweeper([&] {
    while (!done) {
      freed += sweep(world);
      world.advance(400);  // some eleven packets of an endpoint make a lifetime
      std::this_thread::yield();
    }
  });
  in_parallel([&](int thread) {
    const std::string who = "100.64.0." + std::to_string(thread / 2);  // two threads share a subscriber
    for (int round = 0; round < 200; ++round)
      for (int port = 0; port < kPorts; ++port) {
        const std::uint32_t before = world.clock();
        Packet out = udp(who, 5000 + port, kR1, 53);
        if (world.translate(kInsideIfindex, out) != VERDICT_TRANSLATED_OUTBOUND) continue;
        ++opened;
        Packet in = udp(kR1, 53, out.source(), out.source_port());
        const auto verdict = world.translate(kOutsideIfindex, in);
        if (world.clock() - before > world.options().udp_ticks) continue;  // it may have ended meanwhile
        const bool is_its_own =
            verdict == VERDICT_TRANSLATED_INBOUND && in.destination() == who && in.destination_port() == 5000 + port;
        lost += !is_its_own;
      }
  });
  done = true;
  sweeper.join();
  CHECK(lost == 0);
  CHECK(opened > 0);
  for (const auto& [key, _] : mappings_of(world)) REQUIRE(mappings_of(world).count(key) == 1);
  // Whether the sweeper or a claimer gets to an expired mapping first is chance; with the traffic over, it is the
  // sweeper.
  world.advance(world.options().udp_ticks + 2 * RECLAIM_MARGIN);
  freed += sweep(world);
  CHECK(freed > 0);
}

TEST_CASE("a mapping that is recorded does not stand before its record does", "[LOG-7]") {
  NatSpec spec;
  spec.pools[0].log = LOG_MAPPINGS;
  SharedWorld world(spec);
  std::vector<std::size_t> standing;
  world.during_announcement([&] { standing.push_back(mappings_of(world).size()); });
  Packet packet = udp(kS1, 5000, kR1, 53);
  REQUIRE(world.translate(kInsideIfindex, packet) == VERDICT_TRANSLATED_OUTBOUND);
  REQUIRE(world.told().size() == 2);
  CHECK(world.told()[1].type == EVENT_MAPPING_CREATED);
  CHECK(standing == std::vector<std::size_t>{0, 0});
  CHECK(mappings_of(world).size() == 1);
}

TEST_CASE("a record whose port a forward took meanwhile is ended at once, and the next packet gets another",
          "[LOG-1][LOG-7]") {
  NatSpec spec;
  spec.pools[0].log = LOG_MAPPINGS;
  SharedWorld world(spec);
  struct mapping forward{};
  forward.key = 1ull << 63 | 1ull << 62 | 0x11'5000'0a00'4064;
  std::uint16_t port = 0;
  world.during_announcement([&] {
    const event_record& told = world.told().back();
    if (told.type != EVENT_MAPPING_CREATED || port != 0) return;
    port = ntohs(told.external_port);
    world.mapping_set(0, SETS_PER_CLASS + port / SET_SLOTS).slot[port % SET_SLOTS] = forward;
  });
  Packet packet = udp(kS1, 5000, kR1, 53);
  CHECK(world.translate(kInsideIfindex, packet) == VERDICT_SUBSCRIBER_BUSY);
  REQUIRE(world.told().size() == 3);
  CHECK(world.told()[2].type == EVENT_MAPPING_DELETED);
  CHECK(world.told()[2].created_at_ns == world.told()[1].tai_ns);
  CHECK(world.told()[2].external_port == world.told()[1].external_port);
  CHECK(world.mapping_set(0, SETS_PER_CLASS + port / SET_SLOTS).slot[port % SET_SLOTS].key == forward.key);

  packet = udp(kS1, 5000, kR1, 53);
  CHECK(world.translate(kInsideIfindex, packet) == VERDICT_TRANSLATED_OUTBOUND);
  CHECK(packet.source_port() != port);
}

TEST_CASE("who gets the first ID of a segment because another took the last of the one before has asked about neither",
          "[ID-5][ID-8]") {
  constexpr std::uint32_t kSegmentIds = 65536 / IPV4_ID_SEGMENTS;
  NatSpec spec;
  const bool lately = GENERATE(true, false);
  spec.ipv4_id_on_repeat = GENERATE(as<enum ipv4_id_on_repeat>(), ID_REPEAT_DROP, ID_REPEAT_COUNT);
  SharedWorld world(spec);
  const auto send = [&] {
    Packet packet = Ipv4{.source = kS1, .destination = kR1, .dont_fragment = false, .id = 7} /
                    Udp{.source = 5000, .destination = 53} / Data("hello");
    return world.translate(kInsideIfindex, packet);
  };
  for (std::uint32_t row = 0; row < IPV4_ID_ROWS; ++row) {
    // All but the last of the first segment; what is known of the last lap is another's, so it is looked up.
    world.ipv4_id_row(row) = {.given = kSegmentIds - 1, .last_lap = 5u << IPV4_ID_TICK_BITS};
    if (lately) world.ipv4_id_laps(row).used_up_at[1] = world.clock() | 1;
  }
  world.during_id_look_up([&] {
    for (std::uint32_t row = 0; row < IPV4_ID_ROWS; ++row) ++world.ipv4_id_row(row).given;
  });
  const bool refused = lately && spec.ipv4_id_on_repeat == ID_REPEAT_DROP;
  CHECK(send() == (refused ? VERDICT_IPV4_ID_EXHAUSTED : VERDICT_TRANSLATED_OUTBOUND));
  CHECK(world.node().ids_repeated == (lately && !refused ? 1 : 0));
}
