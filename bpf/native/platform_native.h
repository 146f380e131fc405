/* platform_native.h - core/platform.h answered by the caller's struct core_verbs. */
#ifndef APNAT_PLATFORM_NATIVE_H
#define APNAT_PLATFORM_NATIVE_H

#include <string.h>

#include "core_native.h"
#include "core/translation.h"

struct world {
	const struct core_verbs *verbs;
	void *self;
	const unsigned char *frame;
	size_t length;
	struct scratch *scratch;
};

static inline __u32 now_ticks(struct world *world) { return world->verbs->now_ticks(world->self); }
static inline __u64 now_monotonic_ns(struct world *world) { return world->verbs->now_monotonic_ns(world->self); }
static inline __u64 now_tai_ns(struct world *world) { return world->verbs->now_tai_ns(world->self); }
static inline __u32 random_u32(struct world *world) { return world->verbs->random_u32(world->self); }
static inline __u32 frame_length(struct world *world) { return world->length; }

static inline int read_frame(struct world *world, __u32 offset, void *bytes, __u32 length)
{
	if (offset > world->length || length > world->length - offset)
		return 0;
	memcpy(bytes, world->frame + offset, length);
	return 1;
}

static inline const volatile struct options *the_options(struct world *world)
{
	return world->verbs->the_options(world->self);
}

static inline struct node_state *find_node_state(struct world *world)
{
	return world->verbs->find_node_state(world->self);
}

#define FIND_ROW(verb, qualified_row)                                     \
	static inline qualified_row *verb(struct world *world, __u32 index) \
	{                                                                 \
		return world->verbs->verb(world->self, index);            \
	}

#define FIND_IN_TABLE(verb, row)                                                      \
	static inline row *verb(struct world *world, __u32 table, __u32 index)        \
	{                                                                             \
		return world->verbs->verb(world->self, table, index);                 \
	}

FIND_ROW(find_interface, const struct interface)
FIND_ROW(find_vlan_member, const struct vlan_member)
FIND_ROW(find_directory_root, const struct directory_root)
FIND_ROW(find_directory_chunk, const struct directory_chunk)
FIND_ROW(find_subscriber, struct subscriber)
FIND_ROW(find_external_address, struct external_address)
FIND_ROW(find_pool, const struct pool)
FIND_ROW(find_pool_activity, struct pool_activity)
FIND_ROW(find_pool_address, const struct pool_address)
FIND_ROW(find_forward_set, const struct forward_set)
FIND_ROW(find_ipv4_id_row, struct ipv4_id_row)
FIND_ROW(find_ipv4_id_laps, struct ipv4_id_laps)
FIND_IN_TABLE(find_mapping_set, struct mapping_set)
FIND_IN_TABLE(find_creation_set, struct creation_set)
FIND_IN_TABLE(find_port_block, struct port_block)

static inline struct scratch *find_scratch(struct world *world) { return world->scratch; }

static inline enum route_result find_route(struct world *world, struct route *route)
{
	struct core_route asked = {
		.ingress_ifindex = route->ingress_ifindex,
		.source = route->source,
		.destination = route->destination,
		.total_length = route->total_length_host,
		.protocol = route->protocol,
		.tos = route->tos,
	};
	enum core_route_result result = world->verbs->find_route(world->self, &asked);

	route->egress_ifindex = asked.egress_ifindex;
	route->mtu = asked.mtu;
	memcpy(route->source_mac, asked.source_mac, 6);
	memcpy(route->destination_mac, asked.destination_mac, 6);
	return (enum route_result)result;
}

static inline struct event_record *reserve_event(struct world *world)
{
	return world->verbs->reserve_event(world->self);
}

static inline void submit_event(struct world *world, struct event_record *record)
{
	world->verbs->submit_event(world->self, record);
}

static inline void repeat(struct world *world, __u32 count, step_function step, void *context)
{
	(void)world;
	for (__u32 i = 0; i < count; i++)
		if (step(i, context))
			return;
}

#endif
