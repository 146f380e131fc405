// stream.h - records as one stream of bytes, over TCP, TLS or a unix socket, each in its frame; and as datagrams.
#pragma once

#include "events/sinks/stream_socket.h"

namespace apnat {

// Puts one record's payload into `out` as it goes over the wire.
enum class Framing {
  kLine,        // and a line break
  kOctetCount,  // RFC 5425 section 4.3, RFC 6587 section 3.4.1: its length, a blank, the message
};
void frame(Framing framing, std::string_view payload, std::string& out);

// A connection is used for some thousand records or some seconds; its orderly end says that they have arrived.
std::unique_ptr<Transport> stream_transport(StreamTarget target, Framing framing, const Interrupt& interrupt);

// A datagram a record. Nobody confirms: it has arrived once the kernel has taken it. A unix socket waits for its
// receiver, UDP does not. `host` empty: `unix_path`.
std::unique_ptr<Transport> datagram_transport(StreamTarget target, const Interrupt& interrupt);

}  // namespace apnat
