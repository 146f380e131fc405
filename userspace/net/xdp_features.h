// xdp_features.h - what the kernel says devices can do with redirected XDP frames (generic netlink `netdev`).
#pragma once

#include <cstdint>
#include <set>

namespace apnat {

// The devices, by ifindex, that take redirected frames of more than one buffer. Empty before Linux 6.3: there the
// kernel refuses such frames for every device.
std::set<std::uint32_t> devices_sending_several_buffers();

}  // namespace apnat
