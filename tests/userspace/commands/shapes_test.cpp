// shapes_test.cpp - the JSON that scripts and dashboards rely on, member by member.
#include "commands/shapes.h"

#include <catch2/catch.hpp>

#include "commands/filter.h"
#include "commands/rates.h"

using namespace apnat;

namespace {

Ip4 ip(const char* text) { return *Ip4::parse(text); }

const WallTime kTime{std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::hours(10)};

}  // namespace

TEST_CASE("a mapping's row") {
  const MappingView view{
      "residential", 17,   Prefix(ip("100.64.3.7"), 32), {ip("100.64.3.7"), 5000}, {ip("203.0.113.5"), 40001},
      "active",      1.234};
  CHECK(
      compact(shape(view)) ==
      R"({"pool":"residential","protocol":"udp","subscriber":"100.64.3.7","internal_address":"100.64.3.7",)"
      R"("internal_port":5000,"external_address":"203.0.113.5","external_port":40001,"state":"active","idle_seconds":1.2})");
}

TEST_CASE("a block's row; its runs where they are several; null where nobody assigned it") {
  BlockView view{"residential", Prefix(ip("100.64.3.0"), 24), ip("203.0.113.5"), {{1024, 1535}}, kTime, 7, 9};
  CHECK(compact(shape(view)) ==
        R"({"pool":"residential","subscriber":"100.64.3.0/24","external_address":"203.0.113.5","port_start":1024,)"
        R"("port_end":1535,"assigned_at":"2026-03-01T10:00:00.000000Z","mappings":7})");
  view.ports = {{1024, 1030}, {2048, 2050}};
  view.assigned_at = std::nullopt;
  const Json row = shape(view);
  CHECK(row["assigned_at"].is_null());
  CHECK(row["port_end"] == 2050);
  CHECK(compact(row["ports"]) == R"([{"port_start":1024,"port_end":1030},{"port_start":2048,"port_end":2050}])");
}

TEST_CASE("subscribers, pools, interfaces and forwards") {
  SubscriberView subscriber{"residential", Prefix(ip("100.64.3.7"), 32), std::nullopt, 2, 1024, 7, 4};
  CHECK(compact(shape(subscriber)) == R"({"pool":"residential","subscriber":"100.64.3.7","external_address":null,)"
                                      R"("blocks":2,"max_blocks":4,"ports":1024,"mappings":7})");
  PoolView pool;
  pool.name = "residential";
  pool.blocks = 200;
  pool.blocks_assigned = 100;
  pool.blocks_held_down = 1;
  CHECK(shape(pool)["full_percent"] == 50.5);
  CHECK(shape(PoolView{})["full_percent"] == 0);
  InterfaceView interface{"eth0", "internal", "native", true, 1500, {"x"}};
  CHECK(compact(shape(interface)) ==
        R"({"name":"eth0","role":"internal","mode":"native","up":true,"mtu":1500,"warnings":["x"]})");
  ForwardView forward{{"residential", 6, {ip("203.0.113.5"), 8080}, {ip("100.64.3.7"), 80}}, true};
  CHECK(compact(shape(forward)) ==
        R"({"pool":"residential","protocol":"tcp","external_address":"203.0.113.5","external_port":8080,)"
        R"("internal_address":"100.64.3.7","internal_port":80,"from_configuration":true})");
}

TEST_CASE("filter words become a filter, or say what is wrong") {
  const std::vector<std::string> pools = {"residential", "business"};
  const auto filter = parse_filter(Arguments(Json{{"pool", "business"},
                                                  {"subscriber", "100.64.4.0/24"},
                                                  {"external", "203.0.113.5:8080"},
                                                  {"protocol", "tcp"}}),
                                   pools);
  REQUIRE(filter);
  CHECK(*filter->pool == "business");
  CHECK(*filter->subscriber == ip("100.64.4.0"));
  CHECK(*filter->external_address == ip("203.0.113.5"));
  CHECK(*filter->external_port == 8080);
  CHECK(*filter->protocol == 6);
  CHECK_FALSE(parse_filter(Arguments(Json{{"external", "203.0.113.5"}}), pools)->external_port);

  CHECK(parse_filter(Arguments(Json{{"pool", "x"}}), pools).error().text ==
        "--pool: there is no pool \"x\"; there is residential, business");
  CHECK_FALSE(parse_filter(Arguments(Json{{"subscriber", "x"}}), pools));
  CHECK_FALSE(parse_filter(Arguments(Json{{"external", "203.0.113.5:99999"}}), pools));
  CHECK_FALSE(parse_filter(Arguments(Json{{"protocol", "carrier-pigeon"}}), pools));
  CHECK_FALSE(parse_filter(Arguments(Json{{"pool", 7}}), pools));
}

TEST_CASE("rates are per second, by what becomes of a packet") {
  CounterSample before{1'000'000'000, std::vector<std::uint64_t>(VERDICT_COUNT)};
  CounterSample now{3'000'000'000, std::vector<std::uint64_t>(VERDICT_COUNT)};
  now.verdicts[VERDICT_TRANSLATED_OUTBOUND] = 200;
  now.verdicts[VERDICT_TO_GATEWAY] = 20;
  now.verdicts[VERDICT_NO_MAPPING] = 40;
  now.verdicts[VERDICT_ARP_ANSWERED] = 2;
  const PacketRates rates = packet_rates(before, now);
  CHECK(rates.total == 262);
  CHECK(rates.per_second == 131);
  CHECK(rates.forwarded_per_second == 100);
  CHECK(rates.passed_per_second == 10);
  CHECK(rates.dropped_per_second == 20);
  CHECK(rates.answered_per_second == 1);
  CHECK(packet_rates(now, now).per_second == 0);
  CHECK(packet_rates({}, {}).total == 0);
  CHECK(packet_rates(now, before).per_second == 0);  // counters that went back: a new data plane
}
