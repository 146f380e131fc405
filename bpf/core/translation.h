/* translation.h - one packet on its way through the gateway: what was read from
 * it, whose it is, and what it shall become. The steps fill it in from top to
 * bottom; rewrite.h is the only one that writes to the frame. */
#ifndef APNAT_CORE_TRANSLATION_H
#define APNAT_CORE_TRANSLATION_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "platform.h"

#define step_inline static inline __attribute__((always_inline))

/* Keeps the compiler from computing with a pointer before it was compared with NULL, which the verifier forbids. */
#define keep_order(pointer) __asm__ volatile("" : "+r"(pointer))

/* What a step of repeat() returns. The verifier wants to see 0 or 1, not to be told. */
static inline __attribute__((always_inline)) long stop_if(int found)
{
	keep_order(found);
	return found ? 1 : 0;
}

/* Off the fast path: a function of its own, which the verifier judges once, alone, for any argument. So it gets
 * numbers, or a pointer to a struct of numbers (NULL as far as the verifier knows), and finds its rows itself. */
#define step_apart __attribute__((noinline))

/* What a step returns: the end of the packet, or VERDICT_CONTINUE. */
#define TRY(step)                                              \
	do {                                                   \
		enum verdict try_verdict_ = (step);            \
		if (try_verdict_ != VERDICT_CONTINUE)          \
			return try_verdict_;                   \
	} while (0)

/* The kernel's own header is packed, which makes every access a matter of single bytes. */
struct link_header {
	__be16 destination[3];
	__be16 source[3];
	__be16 protocol;
};

enum {
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_8021Q = 0x8100,
	ETH_P_8021AD = 0x88a8,
};

step_inline void copy_mac(__be16 *to, const __be16 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
}

/* RFC 792. The kernel's own header of this name drags the C library in. */
struct icmphdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	union {
		struct {
			__be16 id;
			__be16 sequence;
		} echo;
		struct {
			__be16 unused;
			__be16 mtu;
		} frag;
	} un;
};

enum {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_FRAG_NEEDED = 4,	/* code */
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,
	ICMP_ADDRESS = 17,
	ICMP_ADDRESSREPLY = 18,
};

enum direction { DIRECTION_OUTBOUND, DIRECTION_INBOUND };

/* TCP flags as they stand in byte 13 of the header */
enum { TCP_FLAG_FIN_BIT = 0x01, TCP_FLAG_SYN_BIT = 0x02, TCP_FLAG_RST_BIT = 0x04, TCP_FLAG_ACK_BIT = 0x10 };

struct translation {
	struct world *world;
	void *data;
	void *data_end;
	__u32 ingress_ifindex;	/* the device the program runs on */

	/* parse_link */
	__u32 network_offset;
	__u32 interface_ifindex;	/* the (sub-)interface the frame belongs to */
	__u8 role;			/* INTERFACE_INTERNAL, INTERFACE_EXTERNAL */
	__u8 tags;			/* VLAN tags on the frame */

	/* parse_network */
	struct iphdr *ip;
	void *transport;
	__u16 transport_length;		/* of the datagram, not of what is in the first buffer */
	__be32 source;
	__be32 destination;

	/* find_owner */
	enum direction direction;
	struct subscriber *subscriber;	/* outbound */
	__u32 subscriber_reference;
	__be32 subscriber_address;	/* its prefix's first */
	struct external_address *external;	/* row of the destination; NULL: not ours */

	/* parse_transport */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 icmp_error;		/* an ICMP error: ports are those of the quoted packet */
	__be16 source_port;		/* ICMP query: identifier in both */
	__be16 destination_port;

	/* the quoted packet of an ICMP error */
	struct iphdr *quoted_ip;
	void *quoted_transport;
	__be32 quoted_source;
	__be32 quoted_destination;
	__u16 quoted_length;		/* bytes of the quoted transport header that are there */

	__u32 now;			/* ticks */

	/* what it becomes */
	__be32 new_source;
	__be32 new_destination;
	__be16 new_source_port;
	__be16 new_destination_port;
	__u8 hairpin;
	__be16 new_id;
	__be16 new_fragment_field;

	struct route route;
};

#endif
