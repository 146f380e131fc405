// slow_path_program.h - the slow path's copy of the translator: a whole datagram in, what became of it out. The same
// text and the same tables as the copy on the interfaces, so nothing about translation is written twice. Owns its
// descriptors alone: it may be handed to another thread, and goes on working while the door loads its successor.
#pragma once

#include <cstdint>
#include <span>

#include "apnat/tables.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "datapath/table.h"

namespace apnat {

class SlowPathProgram {
 public:
  // What VLAN tags may add to a frame on its way through.
  static constexpr std::size_t kGrowth = 8;
  // All that the program reads and writes lies before this: link header and tags, IPv4 with options, an ICMP error's
  // header, the packet it quotes with options, and 20 bytes of a quoted TCP header make 170.
  static constexpr std::size_t kHead = 256;

  struct Translated {
    slow_path_answer answer{};
    std::span<const std::uint8_t> frame;  // in `out`
  };

  // Takes a copy of the program's descriptor.
  static Result<SlowPathProgram> open(int program_fd, int question_fd, int answer_fd);

  // Runs the program on `frame`, as if it had come in by the device. `out` has to be kGrowth larger than the
  // frame. Only the head goes through the kernel: checksums are updated, never computed anew (RFC 1624), so the rest of
  // a datagram is nothing to the program. One call at a time: the answer is one row, whoever holds a copy of this.
  Result<Translated> translate(std::span<const std::uint8_t> frame, std::uint32_t ingress_ifindex,
                               std::span<std::uint8_t> out) const;

 private:
  UniqueFd program_;
  Table<slow_path_question> question_;
  Table<slow_path_answer> answer_;
};

}  // namespace apnat
