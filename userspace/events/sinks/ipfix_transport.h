// ipfix_transport.h - IPFIX messages to a collector: RFC 7011 section 10, over UDP, TCP or TLS.
#pragma once

#include "events/sinks/stream_socket.h"

namespace apnat {

struct IpfixSettings {
  StreamTarget target;
  bool udp = true;
  std::uint32_t observation_domain = 1;
  std::chrono::seconds template_refresh{60};  // UDP: how often the templates are said again
};

std::unique_ptr<Transport> ipfix_transport(IpfixSettings settings, const Interrupt& interrupt);

}  // namespace apnat
