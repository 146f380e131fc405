// gateway.h - the gateway under test: its loaded program, and its mapping tables
// as far as the bench reads them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "feeder.h"

struct bpf_map;
struct nat_bpf;

namespace apnat::bench {

// Descriptors of what the bench uses; whoever made them keeps them open.
struct Gateway {
  int program = -1;
  int mapping_tables = -1;
  int external_addresses = -1;
  int verdicts = -1;
  unsigned inside = 0;  // ifindex
  unsigned outside = 0;
};

// A gateway that apnatd has set up and pinned below `pins`.
Result<Gateway> adopt(const std::string& pins, const std::string& inside, const std::string& outside);

// The external endpoint of each of `flows`, by flow number; port 0 where it has no mapping.
Result<std::vector<feed_endpoint>> endpoints_of(const Gateway& gateway, const Flows& flows);

// How many packets have ended in each verdict so far.
using Verdicts = std::vector<std::uint64_t>;
Result<Verdicts> verdicts(const Gateway& gateway);
// What came between two readings, as "NAME count, NAME count".
std::string difference(const Verdicts& before, const Verdicts& after);

// A gateway with no agent: loads the program and fills its tables for one dynamic pool (203.0.113.0/25 for
// 100.64.0.0/16, blocks of 512). It ends with this process.
class Standalone {
 public:
  // Moves this process into a network namespace of its own, with all that the FIB must know.
  static Result<Standalone> with_own_network();
  // Between the interfaces `inside` and `outside` that are here.
  static Result<Standalone> in_this_network();

  // Takes packets off its interfaces from now on.
  Result<void> attach();
  // Leaves program and tables where apnatd would.
  Result<void> pin(const std::string& directory);
  Standalone(Standalone&&) noexcept;
  ~Standalone();
  const Gateway& gateway() const { return gateway_; }

 private:
  struct Destroy {
    void operator()(nat_bpf* skeleton) const;
  };
  explicit Standalone(nat_bpf* skeleton);

  static Result<Standalone> make();
  static Result<void> lay_network();
  Result<void> add_interfaces();
  Result<void> load();
  Result<void> add_tables(bpf_map* outer, std::uint32_t count, std::uint32_t row_bytes, std::uint32_t rows);
  Result<void> add_pool();
  Result<void> add_directory();
  Result<void> add_subscribers();
  Result<void> add_interface(unsigned ifindex, std::uint8_t flags);

  std::unique_ptr<nat_bpf, Destroy> skeleton_;
  Gateway gateway_;
};

}  // namespace apnat::bench
