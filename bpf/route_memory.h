/* route_memory.h - the way out, asked of the kernel's FIB and remembered by each
 * processor for a second, or until the agent hears that a route or a neighbour has
 * changed (interface.routing_changes). The look-up costs as much as all the rest of
 * the translator, and a busy gateway asks for the same destinations again and again.
 *
 * Two tables, because a gateway has very many destinations and very few next hops:
 * 8 bytes a destination name its next hop, 32 bytes a next hop. What is remembered
 * depends on the destination, the TOS and the interface the packet came in by. Where
 * rules look at more, options.route_memory_off is set. */
#ifndef APNAT_ROUTE_MEMORY_H
#define APNAT_ROUTE_MEMORY_H

#define AF_INET 2

enum {
	DESTINATIONS_PER_PAGE = 4096,	/* 32 KiB: the largest value a per-processor map may have */
	DESTINATION_PAGES = 16,
	NEXT_HOPS_PER_PAGE = 1024,
	NEXT_HOP_PAGES = 4,
};

/* A row is good while its stamp is the current one: route.stamp only ever grows. */
struct remembered_destination {
	__u16 rest;		/* of the destination, beside what its place here says */
	__u16 next_hop;
	__u32 stamp;
};

struct next_hop {
	__u32 stamp;		/* when a destination last took it: not written over within that one */
	__u32 ingress_ifindex;
	__u32 egress_ifindex;
	__u16 mtu;
	__u8 tos;
	__u8 reserved;
	__be16 source_mac[3];
	__be16 destination_mac[3];
	__u32 reserved_too;
};

struct destination_page {
	struct remembered_destination row[DESTINATIONS_PER_PAGE];
};

struct next_hop_page {
	struct next_hop row[NEXT_HOPS_PER_PAGE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DESTINATION_PAGES);
	__type(key, __u32);
	__type(value, struct destination_page);
} remembered_destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NEXT_HOP_PAGES);
	__type(key, __u32);
	__type(value, struct next_hop_page);
} next_hops SEC(".maps");

/* One to one: the upper half of the product is the place, the lower half the rest. */
step_inline __u32 spread(__be32 destination)
{
	return destination * 0x9e3779b1;
}

step_inline struct remembered_destination *find_destination(__u32 spread)
{
	__u32 place = spread >> 16, page = place / DESTINATIONS_PER_PAGE;
	struct destination_page *pages = bpf_map_lookup_elem(&remembered_destinations, &page);

	if (!pages)
		return NULL;
	keep_order(pages);
	return &pages->row[place & (DESTINATIONS_PER_PAGE - 1)];
}

step_inline struct next_hop *find_next_hop(__u32 number)
{
	__u32 page = number / NEXT_HOPS_PER_PAGE;
	struct next_hop_page *pages = bpf_map_lookup_elem(&next_hops, &page);

	if (!pages)
		return NULL;
	keep_order(pages);
	return &pages->row[number & (NEXT_HOPS_PER_PAGE - 1)];
}

/* The kernel's answer. memset and named fields: an initialiser of the anonymous union loses `family` with some
 * compilers. A length of 0 is not held against the MTU: the slow path cuts what is too large itself. */
step_inline enum route_result ask_kernel(struct world *world, struct route *route)
{
	struct bpf_fib_lookup lookup;

	__builtin_memset(&lookup, 0, sizeof(lookup));
	lookup.family = AF_INET;
	lookup.l4_protocol = route->protocol;
	lookup.tot_len = options.slow_path ? 0 : route->total_length_host;
	lookup.ifindex = route->ingress_ifindex;
	lookup.tos = route->tos;
	lookup.ipv4_src = route->source;
	lookup.ipv4_dst = route->destination;
	switch (bpf_fib_lookup(world->ctx, &lookup, sizeof(lookup), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		route->egress_ifindex = lookup.ifindex;
		copy_mac(route->source_mac, (const __be16 *)lookup.smac);
		copy_mac(route->destination_mac, (const __be16 *)lookup.dmac);
		route->mtu = lookup.mtu_result;
		return ROUTE_FOUND;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		route->egress_ifindex = lookup.ifindex;
		return ROUTE_NO_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return ROUTE_TOO_BIG;
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		return ROUTE_BY_KERNEL;
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return ROUTE_PROHIBITED;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return ROUTE_FORWARDING_OFF;
	default:
		return ROUTE_NONE;
	}
}

step_inline int is_of_this_packet(const struct next_hop *hop, const struct route *route)
{
	return hop->ingress_ifindex == route->ingress_ifindex && hop->tos == route->tos &&
	       (options.slow_path || route->total_length_host <= hop->mtu);
}

step_inline int is_same_hop(const struct next_hop *hop, const struct route *route)
{
	return hop->ingress_ifindex == route->ingress_ifindex && hop->egress_ifindex == route->egress_ifindex &&
	       hop->tos == route->tos && hop->mtu == route->mtu &&
	       hop->destination_mac[0] == route->destination_mac[0] &&
	       hop->destination_mac[1] == route->destination_mac[1] &&
	       hop->destination_mac[2] == route->destination_mac[2] && hop->source_mac[0] == route->source_mac[0] &&
	       hop->source_mac[1] == route->source_mac[1] && hop->source_mac[2] == route->source_mac[2];
}

/* A next hop that destinations of this very stamp may name is not written over: then this one is not remembered. */
step_inline void remember(struct remembered_destination *destination, __u32 spread, const struct route *route)
{
	__u32 mac = route->destination_mac[1] | (__u32)route->destination_mac[2] << 16;
	__u32 number = ((mac ^ route->egress_ifindex << 8 ^ route->ingress_ifindex << 4 ^ route->tos) * 0x85ebca6b) >> 20;
	struct next_hop *hop = find_next_hop(number);

	if (!hop)
		return;
	if (!is_same_hop(hop, route)) {
		if (hop->stamp == route->stamp)
			return;
		hop->ingress_ifindex = route->ingress_ifindex;
		hop->egress_ifindex = route->egress_ifindex;
		hop->mtu = route->mtu;
		hop->tos = route->tos;
		copy_mac(hop->source_mac, route->source_mac);
		copy_mac(hop->destination_mac, route->destination_mac);
	}
	hop->stamp = route->stamp;
	destination->rest = spread;
	destination->next_hop = number;
	destination->stamp = route->stamp;
}

/* Fills in what is remembered of the route; 0: nothing. */
step_inline int recall(const struct remembered_destination *destination, __u32 spread, struct route *route)
{
	const struct next_hop *hop;

	if (destination->rest != (__u16)spread || destination->stamp != route->stamp)
		return 0;
	hop = find_next_hop(destination->next_hop);
	if (!hop || !is_of_this_packet(hop, route))
		return 0;
	route->egress_ifindex = hop->egress_ifindex;
	copy_mac(route->source_mac, hop->source_mac);
	copy_mac(route->destination_mac, hop->destination_mac);
	if (options.slow_path)
		route->mtu = hop->mtu;
	return 1;
}

static inline enum route_result find_route(struct world *world, struct route *route)
{
	__u32 place_and_rest = spread(route->destination);
	struct remembered_destination *destination =
		options.route_memory_off ? NULL : find_destination(place_and_rest);
	enum route_result result;

	if (destination && recall(destination, place_and_rest, route))
		return ROUTE_FOUND;
	result = ask_kernel(world, route);
	if (destination && result == ROUTE_FOUND)
		remember(destination, place_and_rest, route);
	return result;
}

#endif
