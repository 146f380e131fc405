// attach.h - the entry program <-> interfaces, through libxdp, beside other XDP
// programs where the kernel has what libxdp's dispatcher needs. What is attached
// stays when the agent goes; the next one finds it by the table it uses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "datapath/pins.h"

namespace apnat {

enum class XdpMode { kNative, kGeneric };

struct Attachment {
  XdpMode mode = XdpMode::kNative;
  std::string native_refused;  // why it is generic although native was wanted
};

class Attacher {
 public:
  static Result<Attacher> open(const Pins& pins);
  // Knows entry programs by their name alone: for taking off what has lost its pins.
  static Attacher without_pins() { return {}; }

  // Is our entry program on this interface, and how? None: no.
  std::optional<XdpMode> find(std::uint32_t ifindex) const;

  // There already: not touched.
  Result<Attachment> attach(std::uint32_t ifindex, const std::string& name, AttachMode wanted) const;

  // Ours only; other programs stay. None there: nothing to do.
  Result<void> detach(std::uint32_t ifindex, const std::string& name) const;
  Result<void> detach_everywhere() const;

 private:
  Result<Attachment> attach_beside(std::uint32_t ifindex, const std::string& name, std::uint32_t other, XdpMode mode,
                                   AttachMode wanted) const;
  bool is_ours(std::uint32_t program_id) const;
  int programs_fd() const { return programs_.get(); }

  std::uint32_t programs_id_ = 0;  // the kernel's id of the table our entry program uses; 0: any
  UniqueFd programs_;
};

}  // namespace apnat
