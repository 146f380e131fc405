// lists.h - what lives in the tables, told as values: for natctl, for counting.
// Reads rows that programs write at the same time; a list is as consistent as the
// walk is quick.
#pragma once

#include <functional>
#include <vector>

#include "datapath/endings.h"
#include "datapath/tables.h"

namespace apnat {

class Lists {
 public:
  Lists(const Datapath::Tables& tables, const struct options& options, const Moment& now)
      : tables_(tables), options_(options), now_(now) {}

  void mappings(const Filter& filter, const std::function<bool(const MappingView&)>& each) const;
  void blocks(const Filter& filter, const std::function<bool(const BlockView&)>& each) const;
  void subscribers(const Filter& filter, const std::function<bool(const SubscriberView&)>& each) const;
  PoolView pool(const struct pool& pool, std::uint64_t subscribers) const;

  std::uint64_t count_mappings() const;

 private:
  // A subscriber of a pool, and where its ports are.
  struct Holder {
    const struct pool& pool;
    const subscriber& row;
    Prefix prefix;
    Place place;  // tables nullptr: it has no address yet
  };
  using EachSlot = std::function<bool(const Place&, SlotIn, const MappingNow&)>;

  const Rows& rows() const { return tables_.rows(); }
  bool pool_matches(const Filter& filter, const struct pool& pool) const;
  bool for_each_holder(const Filter& filter, const std::function<bool(const Holder&)>& each) const;
  bool visit_row(const Filter& filter, std::uint32_t reference, Ip4 address,
                 const std::function<bool(const Holder&)>& each) const;
  bool for_each_address(const Filter& filter, const std::function<bool(const Place&)>& each) const;
  bool live_in(const Place& place, slot_range slots, const EachSlot& each) const;
  bool live_at_address(const Place& place, const Filter& filter, const EachSlot& each) const;
  std::uint32_t count_live(const Place& place, slot_range slots) const;
  MappingView view_of(const Place& place, SlotIn at, const MappingNow& entry) const;
  BlockView view_of(const Holder& holder, slot_range slots, bool with_live_mappings) const;

  const Datapath::Tables& tables_;
  const struct options& options_;
  Moment now_;
};

}  // namespace apnat
