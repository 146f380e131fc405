// packet_words.h - a packet as an operator says it, as the bytes on the wire. Pure.
//
//   tcp|udp|icmp SOURCE[:PORT] DESTINATION[:PORT] [word…]
//     ttl N    length N (IPv4 total length)   df   id N (icmp: the query identifier; else the IPv4 ID)
//     tcp:  syn ack fin rst (any; none: syn)      icmp: reply (none: an echo request)
//   hex BYTES    an Ethernet frame
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace apnat {

Result<std::vector<std::uint8_t>> packet_from_words(std::span<const std::string> words);

}  // namespace apnat
