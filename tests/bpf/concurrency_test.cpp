// The loaded program on several processors at once: one mapping for an endpoint, one owner for a port, a record for
// each block. What tests/core/concurrency_test.cpp asks of the core with threads, asked of the kernel.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <thread>

#include "support/story.h"

using namespace apnat::test;

namespace {

constexpr int kThreads = 4, kSubscribers = 8, kPorts = 400;
constexpr std::size_t kLinkHeader = 14;

// Internal endpoint -> external one, as one thread saw them; nothing where its packet was not translated.
using Seen = std::map<std::string, std::string>;

Packet given(Translator& nat, std::uint32_t ifindex, const Packet& packet) {
  Bytes frame = link_frame(packet);
  nat.give(ifindex, frame);
  return Packet(Bytes(frame.begin() + kLinkHeader, frame.end()));
}

// Half of the threads go through the endpoints forwards, half backwards.
Seen open_all(Translator& nat, bool forwards, std::atomic<int>& lost) {
  Seen seen;
  for (int i = 0; i < kSubscribers * kPorts; ++i) {
    const int n = forwards ? i : kSubscribers * kPorts - 1 - i;
    const Packet sent = udp("100.64.0." + std::to_string(n % kSubscribers), 5000 + n / kSubscribers, kR1, 53);
    const Packet out = given(nat, nat.world().inside_ifindex(), sent);
    if (out == sent) continue;
    seen[sent.source_endpoint()] = out.source_endpoint();
    const Packet in = given(nat, nat.world().outside_ifindex(), udp(kR1, 53, out.source(), out.source_port()));
    lost += in.destination_endpoint() != sent.source_endpoint();
  }
  return seen;
}

}  // namespace

TEST_CASE("many processors opening the same endpoints open each once, in the kernel", "[UDP-1][SHARE-6][LOG-7]") {
  if (translators().size() < 2) return;
  NatSpec spec;
  spec.pools[0].block_size = 64;
  spec.pools[0].external = "192.0.2.0/30";
  spec.pools[0].max_blocks = 8;
  spec.gateway_addresses = {};
  auto nat = kernel(spec);
  std::array<Seen, kThreads> seen;
  std::atomic<int> ready = 0, lost = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      seen[static_cast<std::size_t>(thread)] = open_all(*nat, thread % 2 == 0, lost);
    });
  for (auto& thread : threads) thread.join();

  Seen all;
  for (const auto& one : seen)
    for (const auto& [internal, external] : one) {
      const auto [at, is_new] = all.emplace(internal, external);
      if (!is_new) REQUIRE(at->second == external);
    }
  std::set<std::string> external;
  for (const auto& [_, endpoint] : all) external.insert(endpoint);
  CHECK(all.size() == kSubscribers * kPorts);
  CHECK(external.size() == all.size());
  CHECK(lost == 0);
  std::size_t standing = 0;
  for (std::uint32_t tables = 0; tables < 4; ++tables) standing += nat->count_mappings(tables);
  CHECK(standing == all.size());

  std::size_t owned = 0;
  for (std::uint32_t tables = 0; tables < 4; ++tables)
    for (std::uint32_t block = 0; block < BLOCKS_PER_ADDRESS; ++block)
      owned += nat->world().port_block(tables, block).owner_plus_one != 0;
  const auto events = nat->take_events();
  std::set<std::uint64_t> numbers;
  for (const auto& event : events) numbers.insert(event.seq);
  CHECK(owned == kSubscribers * 7);  // 400 ports in blocks of 64
  CHECK(events.size() == owned);
  CHECK(numbers.size() == owned);
  CHECK(*numbers.rbegin() == owned);
}
