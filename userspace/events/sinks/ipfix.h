// ipfix.h - events as IPFIX (RFC 7011) with the NAT elements of RFC 8158, as bytes. Pure.
//
// The spool keeps records, not messages: what a message says of itself (its number, its time) is said when it leaves.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "events/sinks/encoder.h"

namespace apnat {

// Data records of an event, each behind its template's number; nothing, where RFC 8158 has no form for the event.
Encoder ipfix_encoder();

// The number by which a pool goes in natPoolId; an option record gives its name.
std::uint32_t ipfix_pool_id(std::string_view pool);

// A gateway's observation domain (RFC 8158 section 5.1), unless the operator counts himself: made of its name, never 0,
// which means the whole of a device.
std::uint32_t ipfix_domain_of(std::string_view node);

// Builds messages out of records, for one transport session: its own sequence, its own knowledge of what was announced.
class IpfixMessages {
 public:
  IpfixMessages(std::uint32_t observation_domain, std::size_t most_bytes)
      : domain_(observation_domain), most_bytes_(most_bytes) {}

  // The templates, as a message of its own: first of all in a session, and again now and then over UDP.
  // The names of pools are said again after it.
  std::string templates(std::uint32_t export_time);

  // Adds the records of an encoder's payload; each message that is full goes to `out`.
  void add(std::string_view payload, std::uint32_t export_time, std::vector<std::string>& out);
  // What is begun goes too.
  void finish(std::vector<std::string>& out);

 private:
  void close_set();

  std::uint32_t domain_;
  std::size_t most_bytes_;
  std::uint32_t sequence_ = 0;  // of data records, RFC 7011 section 3.1
  std::uint32_t records_ = 0;   // in the message that is begun
  std::string message_;
  std::size_t set_at_ = 0;  // where its last set begins; 0: none
  std::uint16_t set_template_ = 0;
  std::set<std::string> announced_pools_;
};

}  // namespace apnat
