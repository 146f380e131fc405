/* route_memory.h - the way out, asked of the kernel's FIB and remembered by each
 * processor for the rest of the tick (at most 67 ms). The look-up costs as much as
 * all the rest of the translator; a busy gateway asks for the same destinations
 * thousands of times within a tick, and a route or neighbour that has changed is
 * followed as fast as any routing protocol could tell of it.
 *
 * What is remembered depends on the destination, the TOS and the interface the
 * packet came in by. Where rules look at more, options.route_memory_off is set. */
#ifndef APNAT_ROUTE_MEMORY_H
#define APNAT_ROUTE_MEMORY_H

#define AF_INET 2

enum {
	ROUTES_PER_PAGE = 1024,	/* 32 KiB: the largest value a per-processor map may have */
	ROUTE_PAGES = 16,
};

struct remembered_route {
	__be32 destination;
	__u32 ingress_ifindex;
	__u32 tick;		/* when it was asked; good for that tick only */
	__u32 egress_ifindex;
	__u16 mtu;
	__u8 tos;
	__u8 reserved;
	__be16 source_mac[3];
	__be16 destination_mac[3];
};

struct route_page {
	struct remembered_route row[ROUTES_PER_PAGE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROUTE_PAGES);
	__type(key, __u32);
	__type(value, struct route_page);
} route_memory SEC(".maps");

step_inline struct remembered_route *find_remembered(__be32 destination)
{
	__u32 hash = (destination * 0x9e3779b1) >> 18, page = hash / ROUTES_PER_PAGE;
	struct route_page *pages = bpf_map_lookup_elem(&route_memory, &page);

	if (!pages)
		return NULL;
	keep_order(pages);
	return &pages->row[hash & (ROUTES_PER_PAGE - 1)];
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

step_inline int is_remembered(const struct remembered_route *row, const struct route *route)
{
	return row->destination == route->destination && row->tick == route->now &&
	       row->ingress_ifindex == route->ingress_ifindex && row->tos == route->tos &&
	       route->total_length_host <= row->mtu;
}

step_inline void remember(struct remembered_route *row, const struct route *route)
{
	row->destination = route->destination;
	row->ingress_ifindex = route->ingress_ifindex;
	row->tick = route->now;
	row->egress_ifindex = route->egress_ifindex;
	row->mtu = route->mtu;
	row->tos = route->tos;
	copy_mac(row->source_mac, route->source_mac);
	copy_mac(row->destination_mac, route->destination_mac);
}

static inline enum route_result find_route(struct world *world, struct route *route)
{
	struct remembered_route *row =
		options.route_memory_off || options.slow_path ? NULL : find_remembered(route->destination);
	enum route_result result;

	if (row && is_remembered(row, route)) {
		route->egress_ifindex = row->egress_ifindex;
		copy_mac(route->source_mac, row->source_mac);
		copy_mac(route->destination_mac, row->destination_mac);
		return ROUTE_FOUND;
	}
	result = ask_kernel(world, route);
	if (row && result == ROUTE_FOUND)
		remember(row, route);
	return result;
}

#endif
