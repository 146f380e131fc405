/* options.h - what one deployment fixes before the program is loaded. The
 * verifier knows the values and deletes what they switch off; a change of one
 * means loading the program again (the tables stay). */
#ifndef APNAT_OPTIONS_H
#define APNAT_OPTIONS_H

#include <apnat/abi.h>

/* What becomes of the ID of an atomic packet (RFC 6864 section 4.1: it means nothing). */
enum ipv4_id_atomic { ATOMIC_ID_KEEP = 0, ATOMIC_ID_ZERO = 1, ATOMIC_ID_RANDOM = 2, ATOMIC_ID_LOW4 = 3 };

/* What becomes of a non-atomic packet when every ID towards its destination was used within its lifetime. */
enum ipv4_id_on_repeat { ID_REPEAT_COUNT = 0, ID_REPEAT_MAKE_ATOMIC = 1, ID_REPEAT_DROP = 2 };

struct options {
	/* features some pool uses; 0 removes the code */
	__u8 psid_layout;
	__u8 scattered_layout;
	__u8 hairpinning;
	__u8 mapping_log;
	__u8 rate_limit;
	__u8 forwards;		/* some forward exists, or may be made at run time */
	__u8 proxy_arp;
	__u8 vlans;		/* some interface is a VLAN sub-interface, or has some */

	/* lifetimes, in ticks (tables.h) */
	__u32 udp_ticks;
	__u32 tcp_established_ticks;
	__u32 tcp_transitory_ticks;
	__u32 icmp_ticks;

	__u32 event_interval_ticks;	/* least time between two refusal or security events of one subject */
	__u16 packet_too_big_floor;	/* a lower next-hop MTU in an ICMP error is not believed */
	__u16 tcp_mss_clamp;		/* 0: off */
	__u8 route_memory_off;		/* the routing rules ask for more than the destination (policy routing) */
	__u8 slow_path;			/* this copy is the slow path's: whole datagrams, results handed back, nothing redirected */
	__u8 ipv4_id_atomic;		/* enum ipv4_id_atomic */
	__u8 ipv4_id_on_repeat;		/* enum ipv4_id_on_repeat */
	__u8 punt_several_buffers;	/* AF_XDP here takes frames of several buffers */
	__u8 reserved[3];
	__u32 ipv4_id_ticks;		/* an ID towards one destination is not repeated within this */
	__u32 reserved_too;

	__u64 secret[4];		/* keys of the slot hash: node_state.secret */
};
ABI_SIZE(struct options, 80);

#endif
