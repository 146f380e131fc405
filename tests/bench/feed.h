/* feed.h - what the feeder's two halves agree on: which packets it makes. Read by
 * feeder.bpf.c and by the C++ that drives it.
 *
 * A flow is a number. It names its subscriber by its low bits and the subscriber's
 * port by the rest, so that neighbouring numbers are different subscribers. Each
 * subscriber starts at another port of 32768..65535, as ephemeral ports do: a NAT that
 * tries to keep ports finds most of them free. Each flow has one remote host, chosen by a
 * hash of its number: a gateway that remembers routes meets as many as there are. Flows are visited in a full-period
 * pseudo-random order computed from a counter: no table is read for it, so that the only cache misses are those of the
 * program under test. */
#ifndef APNAT_BENCH_FEED_H
#define APNAT_BENCH_FEED_H

#include <linux/types.h>

enum {
  HEADERS_BYTES = 42,     /* Ethernet, IPv4, UDP */
  SMALL_FRAME_BYTES = 60, /* 64 on the wire, with the check sequence */
  MIDDLE_FRAME_BYTES = 590,
  LARGE_FRAME_BYTES = 1514,
  FRAGMENT_PAYLOAD_BYTES = 1480, /* of a large frame */
  IMIX_PERIOD = 12,              /* 7 small, 4 middle, 1 large */

  FIRST_PORT = 32768,
  FLOW_PORTS = 32768,           /* a power of two */
  SUBSCRIBER_PORT_STEP = 12553, /* odd: neighbouring subscribers' ports are far apart */

  MAX_ENDPOINTS = 1 << 21,
};

struct feed_settings {
  __u32 flow_mask;  /* flows - 1; flows are a power of two */
  __u32 flow_step;  /* odd: which of the orders there are */
  __u32 flow_shift; /* half of the mask's bits: the permutation's fold */
  __u32 subscriber_mask;
  __u32 subscriber_bits;
  __u32 first_address_host;  /* of subscriber 0 */
  __u32 remote_address_host; /* of remote host 0 */
  __u32 remote_mask;         /* remote hosts - 1 */
  __be16 remote_port;
  __be16 fragment_field; /* of each IPv4 header: DF, usually */
  __u16 frame_bytes;     /* length of each frame; IMIX starts from the largest */
  __u8 destination_mac[6];
  __u8 source_mac[6];
  __u32 target; /* index in `targets`: what a fed frame is handed to */
  __u32 device; /* live frames: ifindex to send them out of */
};

/* How fast new connections come: no faster than one each `picoseconds`, and none while the gateway's event ring holds
 * more than `most_waiting` bytes. The rest is what came of it. */
struct feed_pace {
  __u64 picoseconds;
  __u64 most_waiting; /* 0: there is no ring */
  __u64 first;        /* cursor positions: from here */
  __u64 end;          /* to here, and then nothing is sent */
  __u64 started_ns;   /* answers */
  __u64 finished_ns;
  __u64 emptied_ns;    /* the ring, after the last one */
  __u64 least_waiting; /* once the ring was full */
  __u32 was_full;
  __u32 reserved;
};

/* An external endpoint that inbound packets are sent to. */
struct feed_endpoint {
  __be32 address;
  __be16 port;
  __u16 reserved;
};

enum feed_target { TARGET_NOTHING = 0, TARGET_PROGRAM = 1, TARGET_COUNT };

#endif
