// slow_path_program.h - the slow path's copy of the translator: whole datagrams in, what became of them out. The same
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
  static constexpr std::size_t kHead = SLOW_PATH_HEAD;
  static constexpr std::uint32_t kMost = SLOW_PATH_BATCH;  // datagrams of one run

  // Takes copies of the program's descriptor and of the table's it goes round by.
  static Result<SlowPathProgram> open(int program_fd, int again_fd, int batch_fd, int datagrams_fd);

  // Datagram `number` of the next run: a frame as it came in by the device. Only its head goes through the program:
  // checksums are updated, never computed anew (RFC 1624), so the rest of a datagram is nothing to it. Returns the
  // head that the program will see, to be changed.
  std::span<std::uint8_t> ask(std::uint32_t number, std::span<const std::uint8_t> frame, std::uint32_t ingress_ifindex);
  // Runs the program on the first `count`. Returns how many of them are translated, in order; fewer, and the rest was
  // not touched. One call at a time: the rows are the same, whoever holds a copy of this.
  std::uint32_t run(std::uint32_t count);
  // What became of one; good until it is asked anew.
  slow_path_datagram& answer(std::uint32_t number) { return datagrams_.rows()[number]; }

 private:
  UniqueFd program_;
  UniqueFd again_;
  Table<slow_path_batch> batch_;
  Table<slow_path_datagram> datagrams_;
};

}  // namespace apnat
