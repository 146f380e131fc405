// translator.h - one promise, two hosts: the same story runs on the core compiled
// for this machine (native) and on the program loaded into the kernel, and must
// end in the same verdicts and the same bytes.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "apnat/events.h"
#include "apnat/verdict.h"
#include "support/packet.h"
#include "support/world.h"

namespace apnat::test {

struct Outcome {
  enum verdict verdict = VERDICT_CONTINUE;
  Packet packet;  // as it was left: on its way, to the kernel, or untouched
  bool operator==(enum verdict other) const { return verdict == other; }
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome);

class Translator {
 public:
  virtual ~Translator() = default;
  virtual std::string name() const = 0;
  virtual World& world() = 0;
  // A frame on an interface, link header first. Returns the frame as it was left.
  virtual Outcome frame(std::uint32_t ifindex, Bytes& frame) = 0;
  // The same without a verdict; the kernel's may be given frames by several threads at once.
  virtual void give(std::uint32_t ifindex, Bytes& bytes) { frame(ifindex, bytes); }
  virtual std::vector<event_record> take_events() = 0;
  // The event ring has no place, until told otherwise.
  virtual void refuse_events(bool refuse) = 0;

  Outcome outbound(const Packet& packet) { return send(world().inside_ifindex(), packet); }
  Outcome inbound(const Packet& packet) { return send(world().outside_ifindex(), packet); }
  // Every mapping becomes older by so many seconds (time itself is the kernel's).
  void age(std::uint32_t seconds);
  // The mappings in use on the n-th table.
  std::size_t count_mappings(std::uint32_t tables = 0);

 private:
  Outcome send(std::uint32_t ifindex, const Packet& packet);
};

std::unique_ptr<Translator> native(const NatSpec& spec);
// None where this process may not load programs (not root): the reason is said once on stderr.
std::unique_ptr<Translator> kernel(const NatSpec& spec);
// Every host there is, by name, for GENERATE_COPY; only the native one where APNAT_NATIVE_ONLY is set.
std::vector<std::string> translators();
std::unique_ptr<Translator> translator(const std::string& name, const NatSpec& spec = {});

// Runs `command` where the kernel translator's gateway lives: its routes, its neighbours, its links.
void shell(const std::string& command);

Bytes link_frame(const Packet& packet, std::uint16_t ethertype = 0x0800);

}  // namespace apnat::test
