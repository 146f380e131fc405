// check_addresses.cpp - pools against each other: an address has one owner, and the tables have room for all.
#include <algorithm>
#include <map>
#include <tuple>

#include "config/check_rules.h"
#include "config/demand.h"

namespace apnat {
namespace {

struct Claim {
  Prefix prefix;
  Where where;
  std::string_view realm;
  const PoolConfig* pool;
  std::string text() const { return fmt::format("{} {} of pool \"{}\"", realm, prefix.text(), pool->name); }
};

std::vector<Claim> claims_of(const Config& config) {
  std::vector<Claim> claims;
  for (const PoolConfig& pool : config.pools) {
    for (const PrefixAt& at : pool.internal) claims.push_back({at.prefix, at.where, "internal", &pool});
    for (const PrefixAt& at : pool.external) claims.push_back({at.prefix, at.where, "external", &pool});
  }
  return claims;
}

void complain_of_overlap(const Claim& one, const Claim& other, Complaints& complaints) {
  // At the later of the two in the file, of the earlier.
  const bool swap = std::pair(one.where.line, one.where.column) > std::pair(other.where.line, other.where.column);
  const Claim& later = swap ? one : other;
  const Claim& earlier = swap ? other : one;
  const std::string line = earlier.where.line ? fmt::format(" (line {})", earlier.where.line) : "";
  complaints.add(later.where, fmt::format("{} overlaps {}{}; an address belongs to one pool and one side of it",
                                          later.text(), earlier.text(), line));
}

// A /24 of subscribers is one run of rows with one shift (tables.h, directory_chunk).
void check_shared_chunks(const Config& config, Complaints& complaints) {
  std::map<std::uint32_t, const PoolConfig*> owners;
  for (const PoolConfig& pool : config.pools) {
    for (const PrefixAt& at : pool.internal) {
      if (at.prefix.length() <= 24) continue;  // nobody else's, or it overlaps
      const auto [owner, fresh] = owners.emplace(at.prefix.first().value() >> 8, &pool);
      if (fresh || owner->second->subscriber_prefix_length == pool.subscriber_prefix_length) continue;
      complaints.add(at.where, fmt::format("{} shares its /24 with pool \"{}\", whose subscriber_prefix_length is {}, "
                                           "not {}; within a /24 they must be equal",
                                           at.prefix.text(), owner->second->name,
                                           owner->second->subscriber_prefix_length, pool.subscriber_prefix_length));
    }
  }
}

}  // namespace

void check_overlaps(const Config& config, Complaints& complaints) {
  std::vector<Claim> claims = claims_of(config);
  std::ranges::sort(claims, {}, [](const Claim& claim) {
    return std::tuple(claim.prefix.first(), claim.where.line, claim.where.column);
  });
  const Claim* reaching = nullptr;  // the one before that goes furthest
  for (const Claim& claim : claims) {
    if (reaching && claim.prefix.first() <= reaching->prefix.last()) complain_of_overlap(*reaching, claim, complaints);
    if (!reaching || claim.prefix.last() > reaching->prefix.last()) reaching = &claim;
  }
  check_shared_chunks(config, complaints);
}

void check_capacity(const Config& config, Complaints& complaints) {
  const TableDemand demand = table_demand(config);
  auto too_much = [&](std::uint64_t wanted, std::uint64_t room, std::string_view what) {
    if (wanted > room) complaints.add({}, fmt::format("{} {}; the tables have room for {}", wanted, what, room));
  };
  too_much(demand.external_addresses, MAX_EXTERNAL_TABLES, "external addresses");
  too_much(demand.external_chunks, MAX_EXTERNAL_ROWS / ADDRESSES_PER_CHUNK - limits::kExternalChunksForOwn,
           "/24s with external addresses");
  too_much(demand.subscriber_rows, std::uint64_t{MAX_SUBSCRIBER_TABLES} * SUBSCRIBERS_PER_TABLE,
           "subscribers (counted by whole /24s)");
  too_much(demand.pages, MAX_CHUNK_PAGES - 1 - limits::kPagesForOwn, "/16s with internal or external addresses");
}

}  // namespace apnat
