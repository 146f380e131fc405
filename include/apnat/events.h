/* events.h - the ring buffer's records. The program writes them, events/decode.cpp
 * reads them. A record carries all that its JSON needs: whoever reads it late
 * need not ask a table that has moved on. */
#ifndef APNAT_EVENTS_H
#define APNAT_EVENTS_H

#include <apnat/abi.h>

enum event_type {
	EVENT_PORT_BLOCK_ASSIGNED = 1,
	EVENT_MAPPING_CREATED = 2,
	EVENT_QUOTA_EXCEEDED = 3,
	EVENT_POOL_EXHAUSTED = 4,
	EVENT_SOURCE_SPOOFED = 5,
	EVENT_MAPPING_DELETED = 6,	/* written by the program when it takes an expired mapping's port */
	EVENT_IPV4_ID_REPEATED = 7,	/* external_address, protocol; the destination is not recorded (LOG-5) */
};

struct event_record {
	__u16 type;			/* enum event_type */
	__u8 version;			/* EVENT_RECORD_VERSION */
	__u8 protocol;			/* mapping events; others 0 */
	__u16 pool;			/* index in pools */
	__u16 verdict;			/* refusals: enum verdict */
	__u64 seq;
	__u64 monotonic_ns;		/* CLOCK_MONOTONIC */
	__u64 tai_ns;			/* CLOCK_TAI */
	__be32 subscriber;		/* its address, or its prefix's first */
	__be32 internal_address;	/* mapping events, source_spoofed (the source) */
	__be32 external_address;
	__be16 internal_port;
	__be16 external_port;
	__u16 first_slot;		/* block events */
	__u16 last_slot;
	__be32 destination_address;	/* log = "mappings_with_destination"; else 0 */
	__be16 destination_port;
	__u16 ifindex;			/* source_spoofed: where it came in (low 16 bits) */
	__u32 limit;			/* refusals: the limit that was met */
	__u32 suppressed;		/* refusals: like ones since the last event */
	__u32 reserved;
	__u64 created_at_ns;		/* EVENT_MAPPING_DELETED: CLOCK_TAI */
};
#define EVENT_RECORD_VERSION 1
ABI_SIZE(struct event_record, 80);

#endif
