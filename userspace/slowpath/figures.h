// figures.h - what the slow path has done and is doing, as numbers that can be copied from thread to thread.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "slowpath/reassembler.h"

namespace apnat {

enum class Stage { kReceive, kReassemble, kTranslate, kSend };
inline constexpr std::array kStageNames = {"receive", "reassemble", "translate", "send"};

// Every frame received is a fragment, whole, or malformed; what became of datagrams is in the verdicts.
struct SlowPathCounters {
  std::uint64_t frames = 0;             // received
  std::uint64_t malformed = 0;          // neither a fragment nor a packet
  std::uint64_t whole = 0;              // packets refused on the fast path, given a second look
  std::uint64_t forwarded = 0;          // datagrams that left through AF_XDP
  std::uint64_t fragments_sent = 0;     // in so many pieces
  std::uint64_t by_kernel = 0;          // datagrams left to the kernel: next hop to be resolved, no AF_XDP way
  std::uint64_t to_gateway = 0;         // datagrams for the gateway itself
  std::uint64_t icmp_sent = 0;          // senders told
  std::uint64_t icmp_suppressed = 0;    // more of them than the limit allows
  std::uint64_t icmp_silent = 0;        // no answer is due, or there is no address to answer from
  std::uint64_t translator_failed = 0;  // lost: the program could not be run
  std::uint64_t send_failed = 0;        // lost: no memory in the way out's ring, or the kernel refused

  template <typename Each>
  void for_each(Each each) const {
    each("frames", frames), each("malformed", malformed), each("whole", whole), each("forwarded", forwarded);
    each("fragments_sent", fragments_sent), each("by_kernel", by_kernel), each("to_gateway", to_gateway);
    each("icmp_sent", icmp_sent), each("icmp_suppressed", icmp_suppressed), each("icmp_silent", icmp_silent);
    each("translator_failed", translator_failed), each("send_failed", send_failed);
  }
};

// What the thread itself counts.
struct WorkerFigures {
  SlowPathCounters counters;
  ReassemblyCounters reassembly;
  std::array<ReassemblyGauges, 2> gauges;  // by realm
  double wrap_margin = 0;
  std::array<std::uint64_t, 4> stage_ns{};  // by Stage; from some turns, for all
};

// Frames lost between the program and us (XDP_STATISTICS).
struct SocketLosses {
  std::uint64_t rx_dropped = 0;
  std::uint64_t rx_ring_full = 0;
  std::uint64_t fill_ring_empty = 0;  // times; what is lost by it is in rx_dropped

  SocketLosses& operator+=(const SocketLosses& more) {
    rx_dropped += more.rx_dropped, rx_ring_full += more.rx_ring_full, fill_ring_empty += more.fill_ring_empty;
    return *this;
  }
};

struct SocketView {
  std::string device;
  std::uint32_t queue = 0;
  bool zero_copy = false;
};

struct SlowPathFigures {
  WorkerFigures worker;
  std::vector<SocketView> sockets;
  std::string complaint;  // why some device has no socket; empty: all have
  SocketLosses lost;      // since the agent's start
};

}  // namespace apnat
