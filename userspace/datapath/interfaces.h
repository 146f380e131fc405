// interfaces.h - the interfaces as they are in the tables and in the kernel: rows
// written, programs attached, and what an operator should know about them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "datapath/attach.h"
#include "datapath/interface_rows.h"
#include "datapath/tables.h"

namespace apnat {

class Interfaces {
 public:
  // Reads what the tables say already.
  static Result<Interfaces> open(const Datapath::Tables& tables, Attacher attacher);

  // Attaches to devices of the plan that have no program of ours yet. All or none of the new ones. Devices that stay
  // without a row pass every packet to the kernel, so this may come before update().
  Result<void> attach(const Plan& plan);

  // Rows, ports and attachments become the plan's; devices it no longer has are let go.
  Result<void> update(Datapath::Tables& tables, const Plan& plan);

  // What is missing was there and went, or has another number now: attached and written again. Never refuses; what
  // does not work is logged once.
  void refresh(Datapath::Tables& tables, const Plan& plan);

  // Routes or neighbours have changed: what the programs remember of them is not good any more.
  Result<void> forget_routes(Datapath::Tables& tables);

  // From now on fragments that come in by `device` go to these sockets, one a receive queue, of so many buffers each.
  // Those that were there before may be among them. Returns their rows.
  Result<std::span<xsk_backlog>> set_sockets(Datapath::Tables& tables, std::uint32_t device,
                                             std::span<const int> by_queue, std::uint32_t room);

  std::vector<InterfaceView> views(const Plan& plan) const;
  std::vector<DeviceView> devices() const;

 private:
  explicit Interfaces(Attacher attacher) : attacher_(std::move(attacher)) {}
  Result<InterfaceRows> wanted_rows(const Plan& plan, std::vector<std::string>& missing) const;
  Result<void> write(Datapath::Tables& tables, InterfaceRows wanted);
  std::vector<std::string> warnings(const PlannedInterface& planned, bool pools_own, const NetworkInterface& interface,
                                    const NetworkInterface& device) const;

  // A device's places in the table of sockets.
  struct Sockets {
    std::uint32_t first = 0;
    std::uint16_t count = 0;
  };
  Result<std::uint32_t> free_places(std::uint32_t count) const;

  Attacher attacher_;
  InterfaceRows rows_;
  std::map<std::uint32_t, Sockets> sockets_;           // by device; what the rows of this agent's sockets say
  std::map<std::string, std::string> native_refused_;  // device -> why it is generic
  std::string last_complaint_;
  std::uint32_t routing_changes_ = 0;  // in every row; goes on from where an earlier agent left it
};

}  // namespace apnat
