// program.h - one loaded copy of the translator, specialised by its options and
// bound to the pinned tables; and the one place where a copy becomes current.
#pragma once

#include <bpf/bpf.h>

#include <string>

#include "apnat/options.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "datapath/pins.h"

namespace apnat {

// What our XDP programs are loaded with, so that all of them fit one table of programs (attach.cpp says why).
inline constexpr bpf_attach_type kNoAttachType{};

class Program {
 public:
  // The first load makes and pins the tables; later ones find them. Changes nothing that runs.
  static Result<Program> load(const struct options& chosen, const Pins& pins);

  // From now on every packet of every attached interface goes through this copy.
  Result<void> make_current(const Pins& pins) const;

  const struct options& options() const { return options_; }
  int fd() const { return fd_.get(); }
  // The slow path's copy: the table it goes round by. The kernel empties it when nobody has it open.
  int again_fd() const { return again_.get(); }

 private:
  UniqueFd fd_;
  UniqueFd again_;
  struct options options_{};
};

// What the pinned tables are: none, ours to adopt; refused with what to do if they are another version's.
enum class FoundTables { kNone, kAdoptable };
Result<FoundTables> find_tables(const Pins& pins);

// The one-element table through which the attached entry program goes on into the current translator.
Result<UniqueFd> open_programs(const Pins& pins);

}  // namespace apnat
