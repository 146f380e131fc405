// reconcile.h - makes the tables those of a plan, under traffic.
//
// Three steps. prepare() does all that can be refused and changes nothing that a
// packet meets. remove() takes away what the plan no longer has: first it stops new
// packets from reaching it, then waits for those on their way, then ends what lived
// there. add() fills rows first and makes them reachable last. What is equal in the
// old and the new arrangement is written by none of them.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "datapath/endings.h"
#include "datapath/placement.h"
#include "datapath/tables.h"

namespace apnat {

class Reconciler {
 public:
  struct Wanted {
    const Plan& plan;
    const std::vector<Ip4>& local;                // the gateway's own addresses
    std::function<bool(Ip4)> waits_out_holddown;  // ports of this address may still be in use somewhere
  };

  Reconciler(Datapath::Tables& tables, const Wanted& wanted, const Moment& now);
  ~Reconciler();  // takes back what prepare() made, unless add() was done

  Result<void> prepare();
  Result<void> remove(std::vector<EventBody>& ended);
  Result<void> add();
  // Where mappings are no longer logged, the records of those that live end. After add().
  void end_records(std::vector<EventBody>& ended);

  // External addresses whose tables went away: who gets them next waits out the hold-down.
  const std::vector<Ip4>& left() const { return left_; }

 private:
  // A subscriber that cannot keep what it has.
  struct Leaver {
    std::uint32_t reference = 0;
    std::uint16_t pool_plus_one = 0;  // its pool; 0: half taken away by an agent that died
  };
  // An external address that goes, as it was.
  struct LeavingAddress {
    std::uint32_t row = 0;
    struct pool pool{};
    AddressRows tables;
    std::uint32_t number = 0;
  };

  const Rows& rows() const { return tables_.rows(); }

  Result<void> drop_unreachable_tables();
  Result<void> make_tables();
  void find_leaving_addresses();
  void find_keepers();
  bool may_keep(const subscriber& row, const subscriber& wanted, const PlacedPool& pool) const;
  void find_leavers();

  void stop_traffic();
  void end_leaver(const Leaver& leaver, std::vector<EventBody>& ended);
  void end_leaving_address(LeavingAddress& leaving, std::vector<EventBody>& ended);
  void end_slots(const Place& place, slot_range slots, bool with_static, std::vector<EventBody>& ended);
  void forget_forwards(std::uint32_t external_row);
  Result<void> erase_chunks();
  std::optional<Place> place_of_row(std::uint32_t external_row);

  void put_pool(std::size_t n);
  void put_addresses(std::size_t n);
  void put_local_marks();
  void put_subscribers(std::size_t n);
  Result<void> put_chunks(enum realm realm);

  Datapath::Tables& tables_;
  const Wanted& wanted_;
  Moment now_;
  Placement placement_;
  std::vector<std::uint32_t> made_;  // tables numbers
  std::vector<LeavingAddress> leaving_;
  std::vector<Leaver> leavers_;
  std::vector<bool> keeps_;  // by subscriber reference
  std::vector<Ip4> left_;
  std::vector<std::size_t> silenced_;  // pools that logged mappings until now
  bool done_ = false;
};

}  // namespace apnat
