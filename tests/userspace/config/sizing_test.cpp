// Sizing before buying.
#include "config/sizing.h"

#include <catch2/catch.hpp>

using namespace apnat;

namespace {

Sizing answer(const SizingQuestion& question) {
  const auto sized = sizing(question);
  INFO((sized ? "" : sized.error().text));
  REQUIRE(sized);
  return *sized;
}

}  // namespace

TEST_CASE("ports, blocks and subscribers of an address") {
  // 64,512 ports are 126 blocks of 512; with two in use by each, 63 subscribers share an address.
  const Sizing sized = answer({.subscribers = 63, .external_addresses = 1});
  CHECK(sized.blocks_per_address == 126);
  CHECK(sized.subscribers_at_once == 63);
  CHECK(sized.sharing_ratio == 63);
  CHECK(sized.ports_each == 1024);
  CHECK(sized.most_ports_each == 2048);
  CHECK(sized.remarks.empty());
  CHECK_FALSE(answer({.subscribers = 64, .external_addresses = 1}).remarks.empty());
}

TEST_CASE("log volume: records for each block, each mapping, or none", "[LOG-1]") {
  SizingQuestion question{.subscribers = 100'000, .external_addresses = 2000};
  question.assume.record_bytes = 21;
  const Sizing blocks = answer(question);
  CHECK(blocks.records_per_day == Approx(1.2e6));
  CHECK(blocks.log_bytes_per_day == Approx(25.2e6));
  CHECK(blocks.log_bytes_per_year == Approx(9.2e9).epsilon(0.01));

  question.log = LOG_MAPPINGS;
  question.assignment = ASSIGN_DETERMINISTIC;
  question.assume.record_bytes = 22;
  const Sizing mappings = answer(question);
  CHECK(mappings.records_per_day == Approx(6.6e9));
  CHECK(mappings.log_bytes_per_day == Approx(145.2e9));
  CHECK(mappings.mean_records_per_second == Approx(76'389).epsilon(0.001));

  question.log = LOG_BLOCKS;
  CHECK(answer(question).records_per_day == 0);
}

TEST_CASE("a deterministic pool divides evenly") {
  const Sizing sized = answer({.subscribers = 256, .external_addresses = 16, .assignment = ASSIGN_DETERMINISTIC});
  CHECK(sized.ports_each == 4032);
  CHECK(sized.most_ports_each == 4032);
  CHECK(sized.subscribers_at_once == 256);
}

TEST_CASE("memory grows by address, by log and by 4096 subscribers") {
  const std::uint64_t small = answer({.subscribers = 1, .external_addresses = 1}).memory_bytes;
  CHECK(answer({.subscribers = 4096, .external_addresses = 1}).memory_bytes == small);
  CHECK(answer({.subscribers = 4097, .external_addresses = 1}).memory_bytes == small + (256u << 10));
  CHECK(answer({.subscribers = 1, .external_addresses = 2}).memory_bytes == small + (3u << 20) + (32u << 10));
  CHECK(answer({.subscribers = 1, .external_addresses = 1, .log = LOG_MAPPINGS}).memory_bytes == small + (3u << 19));
}

TEST_CASE("a question without an answer is refused in words") {
  CHECK_FALSE(sizing({.subscribers = 0, .external_addresses = 1}));
  CHECK_FALSE(sizing({.subscribers = 1, .external_addresses = 0}));
  CHECK_FALSE(sizing({.subscribers = 1, .external_addresses = 1, .block_size = 500}));
  CHECK_FALSE(sizing({.subscribers = 1, .external_addresses = 1, .max_blocks = 9}));
  CHECK_FALSE(sizing({.subscribers = 1, .external_addresses = 1, .ports = {1024, 1100}}));
  CHECK_FALSE(sizing({.subscribers = 1, .external_addresses = 1, .assignment = ASSIGN_STATIC}));
  CHECK_FALSE(sizing({.subscribers = ~std::uint64_t{0}, .external_addresses = 1}));
}
