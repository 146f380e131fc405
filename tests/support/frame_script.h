// frame_script.h - frames for a gateway, as one string of bytes: what the frame fuzzer is fed, what its corpus holds,
// and what the corpus test gives to the native core and to the kernel.
//
//   byte 0: which gateway. Then frames: flags, length (two bytes, high one first), as many bytes or what is left.
#pragma once

#include <vector>

#include "support/translator.h"

namespace apnat::test {

enum : std::uint8_t {
  kFrameOutside = 1,      // on the outside interface
  kFrameMendSum = 2,      // the IPv4 header checksum is made right first: else few frames would get far
  kFrameMendLengths = 4,  // and the total length, and that of UDP, before it
};

struct ScriptFrame {
  std::uint8_t flags = 0;
  Bytes bytes;
};

struct FrameScript {
  std::size_t gateway = 0;
  std::vector<ScriptFrame> frames;
};

// At most eight frames, each mended as its flags say.
FrameScript read_script(const Bytes& bytes);
Bytes write_script(const FrameScript& script);

// The gateways of scripts: what they are, and what stands in their tables before the first frame. Where the kernel
// draws lots there is only one to draw, so that both hosts choose alike.
std::vector<NatSpec> script_gateways();
void furnish(Translator& nat);

// Where IPv4 begins: behind the link header and up to two tags.
std::size_t network_offset(const Bytes& frame);

}  // namespace apnat::test
