// forwards.h - port forwards in the tables. One stands in two places: as a static
// mapping at its external slot (inbound), and in forward_sets under its internal
// endpoint (outbound).
#pragma once

#include <vector>

#include "datapath/endings.h"
#include "datapath/tables.h"

namespace apnat {

class Forwards {
 public:
  explicit Forwards(Datapath::Tables& tables) : tables_(tables) {}

  // There already: only where it comes from is noted. `told` gets a MappingCreated where the pool logs mappings.
  Result<void> add(const PlannedForward& forward, bool from_configuration, const struct options& options,
                   const Moment& now, std::vector<EventBody>& told);
  Result<void> remove(const PlannedForward& forward, const Moment& now, std::vector<EventBody>& told);

  std::vector<ForwardView> list() const;

  // The subscribers' marks again, after their rows were written anew.
  void mark_owners();

 private:
  // A forward's two places.
  struct Spot {
    Place place;
    std::uint32_t external_row = 0;
    SlotIn slot;
    std::uint64_t key = 0;        // without MARK_STATIC
    subscriber* owner = nullptr;  // nullptr: the internal address is no subscriber of the pool
  };

  const Rows& rows() const { return tables_.rows(); }
  Result<Spot> find_spot(const PlannedForward& forward) const;
  forward* find_entry(std::uint64_t key) const;
  forward* find_free_entry(std::uint64_t key) const;
  Result<void> check_free(const Spot& spot, const PlannedForward& forward, const struct options& options,
                          const Moment& now) const;
  Result<void> claim(const Spot& spot, forward& entry, const PlannedForward& forward, bool from_configuration,
                     const Moment& now);

  Datapath::Tables& tables_;
};

}  // namespace apnat
