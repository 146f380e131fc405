// parameters.cpp - the texts.
#include "config/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "config/demand.h"

namespace apnat {
namespace {

std::string prefixes_text(const std::vector<PrefixAt>& prefixes) {
  std::vector<Prefix> sorted;
  for (const PrefixAt& at : prefixes) sorted.push_back(at.prefix);
  std::ranges::sort(sorted);
  std::string text;
  for (const Prefix& prefix : sorted) text += (text.empty() ? "" : ",") + prefix.text();
  return text;
}

std::string pool_text(const PoolConfig& pool) {
  std::string text =
      fmt::format("pool {} assignment={} internal={} external={} ports={} subscriber_prefix_length={} port_layout={}",
                  pool.name, word_of(pool.assignment), prefixes_text(pool.internal), prefixes_text(pool.external),
                  pool.ports.text(), pool.subscriber_prefix_length, word_of(pool.port_layout));
  if (pool.assignment == ASSIGN_DYNAMIC) {
    text += fmt::format(" block_size={} max_blocks={}", pool.block_size.value_or(kDefaultBlockSize), pool.max_blocks);
  }
  if (pool.port_layout == LAYOUT_PSID) text += fmt::format(" psid_offset={}", pool.psid_offset);
  return text;
}

void append_sorted(std::vector<std::string> lines, std::string& text) {
  std::ranges::sort(lines);
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
}

}  // namespace

std::string parameters_text(const Config& config) {
  std::vector<std::string> pools;
  for (const PoolConfig& pool : config.pools) pools.push_back(pool_text(pool));
  std::vector<std::string> blocks;
  for (const StaticBlockConfig& block : config.static_blocks) {
    blocks.push_back(fmt::format("static_block pool={} subscriber={} external_address={} ports={}", block.pool,
                                 block.subscriber.text(), block.external_address.text(), block.ports.text()));
  }
  std::vector<std::string> forwards;
  for (const ForwardConfig& forward : config.forwards) {
    forwards.push_back(fmt::format("forward pool={} protocol={} external={} internal={}", forward.pool,
                                   protocol_name(forward.protocol), forward.external.text(), forward.internal.text()));
  }
  std::string text;
  append_sorted(std::move(pools), text);
  append_sorted(std::move(blocks), text);
  append_sorted(std::move(forwards), text);
  return text;
}

std::string logging_text(const Config& config) {
  std::vector<std::string> pools;
  for (const PoolConfig& pool : config.pools) {
    if (pool.log != LOG_BLOCKS) pools.push_back(fmt::format("log pool={} what={}", pool.name, word_of(pool.log)));
  }
  std::string text;
  append_sorted(std::move(pools), text);
  return text;
}

}  // namespace apnat
