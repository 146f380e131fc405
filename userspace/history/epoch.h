// epoch.h - what decided who gets which port, for as long as it did: the pools with
// their parameters (RFC 7422 section 3), the static blocks, the forwards. Answers from
// it need no record of any subscriber. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/plan.h"

namespace apnat {

struct Epoch {
  std::vector<PlannedPool> pools;  // with their layout keys
  std::vector<PlannedForward> forwards;
};

// Equal epochs have equal bytes.
std::string encoded(const Epoch& epoch);
Result<Epoch> decode_epoch(std::string_view bytes);

// Somebody whose ports a rule gives.
struct RuledPorts {
  enum class Rule { kDeterministic, kStaticBlock, kForward };
  Rule rule = Rule::kDeterministic;
  std::string pool;
  Prefix subscriber;
  Ip4 external_address;
  std::vector<PortRange> ports;
  std::optional<std::uint8_t> protocol;  // forwards
  std::optional<Endpoint> internal;      // forwards
};

// Whose the port is; without a port, everybody's on the address.
std::vector<RuledPorts> ruled_owners(const Epoch& epoch, Ip4 address, std::optional<std::uint16_t> port,
                                     std::optional<std::uint8_t> protocol);
// What a subscriber has; `subscriber` may be part of one, or hold several.
std::vector<RuledPorts> ruled_places(const Epoch& epoch, const Prefix& subscriber);

// Some pool gives ports by a rule, on this address: then "nobody" is an answer too.
bool has_rules_for(const Epoch& epoch, Ip4 address);

}  // namespace apnat
