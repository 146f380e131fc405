/* platform.h - everything the translator may ask of the world it runs in, in
 * one screen. platform_bpf.h answers with maps and helpers, platform_native.h
 * with memory. Whoever includes translate.h has answered these first.
 *
 * Rows come back as pointers into the table, or NULL where there is none; a
 * pointer is good until the packet is done. Rows are shared with other
 * processors and with the agent: tables.h says who may write what, and how. */
#ifndef APNAT_CORE_PLATFORM_H
#define APNAT_CORE_PLATFORM_H

#include <apnat/events.h>
#include <apnat/options.h>
#include <apnat/tables.h>
#include <apnat/verdict.h>

struct world;

/* ---- time and chance ------------------------------------------------------ */
static inline __u32 now_ticks(struct world *world);
static inline __u64 now_monotonic_ns(struct world *world);
static inline __u64 now_tai_ns(struct world *world);
static inline __u32 random_u32(struct world *world);

/* ---- the frame -------------------------------------------------------------- */
/* Bytes of the frame in all its buffers; translation.data..data_end is the first one. */
static inline __u32 frame_length(struct world *world);
/* Copies `length` bytes (1 to 40) at `offset` out of the frame, whichever buffer they are in. 0: not all are there. */
static inline int read_frame(struct world *world, __u32 offset, void *bytes, __u32 length);

/* ---- rows ------------------------------------------------------------------- */
static inline const volatile struct options *the_options(struct world *world);
static inline struct node_state *find_node_state(struct world *world);
static inline const struct interface *find_interface(struct world *world, __u32 ifindex);
static inline const struct vlan_member *find_vlan_member(struct world *world, __u32 index);
static inline const struct directory_root *find_directory_root(struct world *world, __u32 index);
static inline const struct directory_chunk *find_directory_chunk(struct world *world, __u32 index);
static inline struct subscriber *find_subscriber(struct world *world, __u32 reference);
static inline struct external_address *find_external_address(struct world *world, __u32 row);
static inline const struct pool *find_pool(struct world *world, __u32 index);
static inline struct pool_activity *find_pool_activity(struct world *world, __u32 index);
static inline const struct pool_address *find_pool_address(struct world *world, __u32 index);
static inline struct mapping_set *find_mapping_set(struct world *world, __u32 tables, __u32 set);
static inline struct creation_set *find_creation_set(struct world *world, __u32 tables, __u32 set);
static inline struct port_block *find_port_block(struct world *world, __u32 tables, __u32 block);
static inline const struct forward_set *find_forward_set(struct world *world, __u32 set);
static inline struct ipv4_id_row *find_ipv4_id_row(struct world *world, __u32 row);
static inline struct ipv4_id_laps *find_ipv4_id_laps(struct world *world, __u32 row);

/* Room that is this processor's alone until the packet is done; the stack is small. Never NULL in practice. */
struct scratch;
static inline struct scratch *find_scratch(struct world *world);

/* ---- the way out -------------------------------------------------------------- */
enum route_result {
	ROUTE_FOUND,
	ROUTE_NO_NEIGHBOUR,	/* a route, but its next hop is not resolved */
	ROUTE_TOO_BIG,		/* a route; the packet is larger than it carries */
	ROUTE_BY_KERNEL,	/* a route that only the kernel can take (a tunnel) */
	ROUTE_NONE,
	ROUTE_PROHIBITED,	/* blackhole, unreachable, prohibit */
	ROUTE_FORWARDING_OFF,
};

/* What is asked, and what comes back when the answer is ROUTE_FOUND. */
struct route {
	__u32 ingress_ifindex;
	__be32 source;
	__be32 destination;
	__u16 total_length_host;
	__u8 protocol;
	__u8 tos;
	__u32 stamp;		/* grows with time and with what changes the routing: an older answer is not good */
	__u32 egress_ifindex;
	__be16 source_mac[3];
	__be16 destination_mac[3];
	__u16 mtu;		/* of the way out; known to the slow path only, which no length stops here */
};
static inline enum route_result find_route(struct world *world, struct route *route);

/* ---- events --------------------------------------------------------------------- */
/* NULL: no place in the ring. What is reserved must be submitted. */
static inline struct event_record *reserve_event(struct world *world);
static inline void submit_event(struct world *world, struct event_record *record);

/* ---- loops ------------------------------------------------------------------------ */
/* Calls step(i, context) for i = 0 .. count - 1 until it returns 1. `context` lies on the caller's stack: hand
 * the address of a pointer, not the pointer. */
typedef long (*step_function)(__u32 i, void *context);
static inline void repeat(struct world *world, __u32 count, step_function step, void *context);

#endif
