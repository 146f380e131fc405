/* platform_bpf.h - core/platform.h answered by the kernel: maps and helpers. */
#ifndef APNAT_PLATFORM_BPF_H
#define APNAT_PLATFORM_BPF_H

#include "maps.h"
#include "core/translation.h"

#define NULL ((void *)0)

const volatile struct options options;

struct world {
	struct xdp_md *ctx;
};

#include "route_memory.h"

/* The coarse clock costs a tenth of the exact one and moves every 1 to 10 ms; a tick is 67 ms. */
static inline __u32 now_ticks(struct world *world)
{
	(void)world;
	return bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
}

static inline __u64 now_monotonic_ns(struct world *world)
{
	(void)world;
	return bpf_ktime_get_ns();
}

static inline __u64 now_tai_ns(struct world *world)
{
	(void)world;
	return bpf_ktime_get_tai_ns();
}

static inline __u32 random_u32(struct world *world)
{
	(void)world;
	return bpf_get_prandom_u32();
}

static inline __u32 frame_length(struct world *world)
{
	return bpf_xdp_get_buff_len(world->ctx);
}

static inline int read_frame(struct world *world, __u32 offset, void *bytes, __u32 length)
{
	return !bpf_xdp_load_bytes(world->ctx, offset, bytes, length);
}

static inline const volatile struct options *the_options(struct world *world)
{
	(void)world;
	return &options;
}

#define FIND_ROW(verb, qualified_row, map)                                                  \
	static inline qualified_row *verb(struct world *world, __u32 index)                 \
	{                                                                                   \
		(void)world;                                                                \
		return bpf_map_lookup_elem(&map, &index);                                   \
	}

#define FIND_IN_TABLE(verb, row, map)                                                       \
	static inline row *verb(struct world *world, __u32 table, __u32 index)              \
	{                                                                                   \
		void *inner = bpf_map_lookup_elem(&map, &table);                            \
                                                                                            \
		(void)world;                                                                \
		return inner ? bpf_map_lookup_elem(inner, &index) : NULL;                   \
	}

FIND_ROW(find_interface, const struct interface, interfaces)
FIND_ROW(find_vlan_member, const struct vlan_member, vlan_members)
FIND_ROW(find_directory_root, const struct directory_root, directory_roots)
FIND_ROW(find_directory_chunk, const struct directory_chunk, directory_chunks)
FIND_ROW(find_external_address, struct external_address, external_addresses)
FIND_ROW(find_pool, const struct pool, pools)
FIND_ROW(find_pool_activity, struct pool_activity, pool_activity)
FIND_ROW(find_pool_address, const struct pool_address, pool_addresses)
FIND_ROW(find_forward_set, const struct forward_set, forward_sets)
FIND_ROW(find_ipv4_id_row, struct ipv4_id_row, ipv4_ids)
FIND_ROW(find_ipv4_id_laps, struct ipv4_id_laps, ipv4_id_laps)
FIND_IN_TABLE(find_mapping_set, struct mapping_set, mapping_tables)
FIND_IN_TABLE(find_creation_set, struct creation_set, creation_tables)
FIND_IN_TABLE(find_port_block, struct port_block, block_tables)

static inline struct node_state *find_node_state(struct world *world)
{
	__u32 index = 0;

	(void)world;
	return bpf_map_lookup_elem(&node_state, &index);
}

static inline struct subscriber *find_subscriber(struct world *world, __u32 reference)
{
	__u32 table = reference / SUBSCRIBERS_PER_TABLE, index = reference % SUBSCRIBERS_PER_TABLE;
	void *inner = bpf_map_lookup_elem(&subscriber_tables, &table);

	(void)world;
	return inner ? bpf_map_lookup_elem(inner, &index) : NULL;
}

static inline struct event_record *reserve_event(struct world *world)
{
	(void)world;
	return bpf_ringbuf_reserve(&events, sizeof(struct event_record), 0);
}

static inline void submit_event(struct world *world, struct event_record *record)
{
	(void)world;
	bpf_ringbuf_submit(record, 0);
}

static inline void repeat(struct world *world, __u32 count, step_function step, void *context)
{
	(void)world;
	bpf_loop(count, step, context, 0);
}

#endif
