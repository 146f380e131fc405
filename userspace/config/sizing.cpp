// sizing.cpp - subscribers and addresses in, ports, memory and log volume out.
#include "config/sizing.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "config/demand.h"
#include "config/limits.h"

namespace apnat {
namespace {

Result<void> answerable(const SizingQuestion& question) {
  if (question.subscribers == 0) return fail("no subscribers; ask for at least one");
  if (question.external_addresses == 0) return fail("no external addresses; ask for at least one");
  if (question.subscribers > std::uint64_t{1} << 32 || question.external_addresses > std::uint64_t{1} << 32) {
    return fail("there are not that many IPv4 addresses");
  }
  if (question.assignment == ASSIGN_STATIC) {
    return fail("a static pool's blocks are written one by one: there is nothing to calculate");
  }
  if (!std::has_single_bit(question.block_size) || !limits::kBlockSize.allow(question.block_size)) {
    return fail(fmt::format("block_size is {}; ask for a power of two from {} to {}", question.block_size,
                            limits::kBlockSize.least, limits::kBlockSize.most));
  }
  if (!limits::kMaxBlocks.allow(question.max_blocks)) {
    return fail(fmt::format("max_blocks is {}; ask for {} to {}", question.max_blocks, limits::kMaxBlocks.least,
                            limits::kMaxBlocks.most));
  }
  if (question.ports.first == 0 || question.ports.first > question.ports.last) {
    return fail(fmt::format("ports {} are no range of ports", question.ports.text()));
  }
  return {};
}

std::uint64_t memory_of(const SizingQuestion& question) {
  TableDemand demand;
  demand.external_addresses = question.external_addresses;
  demand.logged_addresses = question.log == LOG_BLOCKS ? 0 : question.external_addresses;
  demand.subscriber_rows = question.subscribers;
  return demand.memory_bytes();
}

// Each thing that begins ends too, and both are told. Deterministic blocks need no record: the configuration is it.
double records_per_day(const SizingQuestion& question) {
  const auto subscribers = static_cast<double>(question.subscribers);
  const bool blocks = question.assignment == ASSIGN_DYNAMIC;
  const double of_blocks = blocks ? subscribers * question.assume.blocks_per_subscriber_day * 2 : 0;
  const double of_mappings =
      question.log == LOG_BLOCKS ? 0 : subscribers * question.assume.connections_per_subscriber_day * 2;
  return of_blocks + of_mappings;
}

void answer_dynamic(const SizingQuestion& question, Sizing& answer) {
  PoolConfig pool;
  pool.block_size = question.block_size;
  pool.ports = question.ports;
  answer.blocks_per_address = usable_blocks(pool).count();
  answer.blocks = answer.blocks_per_address * question.external_addresses;
  const std::uint64_t quota = std::min<std::uint64_t>(question.max_blocks, answer.blocks_per_address);
  answer.ports_each = answer.blocks * question.block_size / question.subscribers;
  answer.most_ports_each = quota * question.block_size;
  const double in_use =
      std::clamp(question.assume.blocks_in_use, 1.0, static_cast<double>(std::max<std::uint64_t>(quota, 1)));
  answer.subscribers_at_once = static_cast<std::uint64_t>(static_cast<double>(answer.blocks) / in_use);
}

void answer_deterministic(const SizingQuestion& question, Sizing& answer) {
  const std::uint64_t ratio = (question.subscribers + question.external_addresses - 1) / question.external_addresses;
  answer.ports_each = question.ports.count() / ratio;
  answer.most_ports_each = answer.ports_each;
  answer.subscribers_at_once = question.subscribers;
}

void remark(const SizingQuestion& question, Sizing& answer) {
  const auto active =
      static_cast<std::uint64_t>(static_cast<double>(question.subscribers) * question.assume.active_share);
  if (question.assignment == ASSIGN_DYNAMIC && answer.subscribers_at_once < active) {
    answer.remarks.push_back(
        fmt::format("{} of {} active subscribers find a block; more addresses or a smaller block_size "
                    "help",
                    answer.subscribers_at_once, active));
  }
  if (question.assignment == ASSIGN_DETERMINISTIC && answer.ports_each < limits::kLeastPorts) {
    answer.remarks.push_back(
        fmt::format("{} ports each; apnatd wants at least {}", answer.ports_each, limits::kLeastPorts));
  }
  if (question.external_addresses > MAX_EXTERNAL_TABLES) {
    answer.remarks.push_back(fmt::format("one gateway has tables for {} external addresses", int{MAX_EXTERNAL_TABLES}));
  }
  const std::uint64_t room = std::uint64_t{MAX_SUBSCRIBER_TABLES} * SUBSCRIBERS_PER_TABLE;
  if (question.subscribers > room)
    answer.remarks.push_back(fmt::format("one gateway has rows for {} subscribers", room));
}

}  // namespace

Result<Sizing> sizing(const SizingQuestion& question) {
  TRY_VOID(answerable(question));
  Sizing answer;
  answer.sharing_ratio = static_cast<double>(question.subscribers) / static_cast<double>(question.external_addresses);
  if (question.assignment == ASSIGN_DYNAMIC) {
    answer_dynamic(question, answer);
    if (answer.blocks == 0) {
      return fail(fmt::format("ports {} hold no whole block of {}", question.ports.text(), question.block_size));
    }
  } else {
    answer_deterministic(question, answer);
  }
  answer.memory_bytes = memory_of(question);
  answer.records_per_day = records_per_day(question);
  answer.mean_records_per_second = answer.records_per_day / 86'400;
  answer.log_bytes_per_day = answer.records_per_day * question.assume.record_bytes;
  answer.log_bytes_per_year = answer.log_bytes_per_day * 365;
  remark(question, answer);
  return answer;
}

}  // namespace apnat
