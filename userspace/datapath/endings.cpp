// endings.cpp - giving rows back, in the order tables.h asks for.
#include "datapath/endings.h"

#include "net/port_range.h"

namespace apnat {
namespace {

// The tick under way is not counted: it may be nearly over.
std::uint32_t available_from(const Moment& now, std::uint32_t hold_down_ticks) {
  const std::uint32_t then = now.ticks + hold_down_ticks + 1;
  return then == 0 ? 1 : then;  // 0 means "at once"
}

MappingDeleted mapping_deleted(const Place& place, SlotIn at, const mapping& row, WallTime created_at,
                               std::string_view reason) {
  MappingDeleted event;
  const Ip4 internal = Ip4::from_network(row.internal_address);
  event.pool = name_of(*place.pool);
  event.subscriber = subscriber_prefix(*place.pool, internal);
  event.protocol = row.protocol;
  event.internal = {internal, ntohs(row.internal_port)};
  event.external = {Ip4::from_network(place.external->address),
                    port_of_slot(*place.pool, static_cast<std::uint16_t>(at.slot))};
  event.created_at = created_at;
  event.reason = reason;
  event.with_destination = place.pool->log == LOG_MAPPINGS_WITH_DESTINATION;
  return event;
}

}  // namespace

bool end_mapping(const Place& place, SlotIn at, const MappingNow& seen, const Moment& now, std::string_view reason,
                 std::vector<EventBody>& ended) {
  // Read before the slot is free: whoever takes it next writes its own.
  const std::uint64_t created = place.tables->created_at_ns(at.protocol_class, at.slot);
  if (!exchange_if(place.tables->at(at.protocol_class, at.slot).key, seen.row.key, 0)) return false;
  // A mapping older than its pool's log was never told of, so its end is not either.
  if (place.pool->log != LOG_BLOCKS && created != 0) {
    ended.emplace_back(mapping_deleted(place, at, seen.row, now.wall(created), reason));
  }
  return true;
}

void end_record(const Place& place, SlotIn at, const Moment& now, std::string_view reason,
                std::vector<EventBody>& ended) {
  const std::uint64_t created = place.tables->created_at_ns(at.protocol_class, at.slot);
  if (created == 0) return;
  place.tables->forget_creation(at.protocol_class, at.slot);
  const MappingNow seen = read_mapping(place.tables->at(at.protocol_class, at.slot));
  if (seen.in_use()) ended.emplace_back(mapping_deleted(place, at, seen.row, now.wall(created), reason));
}

void tell_block_end(const Place& place, unsigned number, const Moment& now, std::vector<EventBody>& ended) {
  const port_block& block = place.tables->blocks[number];
  PortBlockReleased event;
  event.pool = name_of(*place.pool);
  event.subscriber = subscriber_prefix(*place.pool, Ip4::from_network(load(block.subscriber)));
  event.external_address = Ip4::from_network(place.external->address);
  event.ports = ports_of_slots(*place.pool, block_slots(*place.pool, number));
  event.assigned_at = now.wall(load(block.assigned_at_ns));
  event.mappings_created = load(block.mappings_created);
  ended.emplace_back(std::move(event));
}

void free_block(const Place& place, unsigned number, const Moment& now, std::uint32_t hold_down_ticks) {
  port_block& block = place.tables->blocks[number];
  store(block.available_from, available_from(now, hold_down_ticks));
  store(block.owner_plus_one, 0);
  if (load(place.external->blocks_owned) > 0) std::atomic_ref(place.external->blocks_owned).fetch_sub(1);
}

void end_block(const Place& place, unsigned number, const Moment& now, std::uint32_t hold_down_ticks,
               std::vector<EventBody>& ended) {
  tell_block_end(place, number, now, ended);
  free_block(place, number, now, hold_down_ticks);
}

std::optional<unsigned> find_block(const subscriber& owner, std::uint32_t external_row, slot_range slots) {
  if (load(owner.external_row_plus_one) != external_row + 1) return std::nullopt;
  for (unsigned b = 0; b < MAX_SUBSCRIBER_BLOCKS; ++b) {
    if (load(owner.block[b].last) == slots.last && load(owner.block[b].first) == slots.first) return b;
  }
  return std::nullopt;
}

}  // namespace apnat
