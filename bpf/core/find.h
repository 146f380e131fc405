/* find.h - from an internal endpoint to its external one (opening a mapping if
 * there is none and the packet may), and from an external endpoint to the
 * internal one behind it. */
#ifndef APNAT_CORE_FIND_H
#define APNAT_CORE_FIND_H

#include "mapping.h"

/* An internal endpoint and the external one it has. */
struct binding {
	struct mapping *mapping;
	__be32 external_address;
	__be16 external_port;
};

step_inline __be16 external_port_of(struct world *world, const struct subscriber *subscriber, __u32 slot)
{
	const volatile struct options *options = the_options(world);
	const struct pool *pool;

	if (!options->psid_layout && !options->scattered_layout)
		return NETWORK16((__u16)slot);
	pool = find_pool(world, subscriber->pool_plus_one - 1);
	return pool ? NETWORK16((__u16)port_of_slot(options, pool, slot)) : 0;
}

/* A port forward of this internal endpoint; it may stand on any address of the pool. */
step_inline int find_forward(struct world *world, __u64 key, __u64 hash, __u32 class, struct binding *binding)
{
	const volatile struct options *options = the_options(world);

	#pragma clang loop unroll(disable)
	for (__u32 choice = 0; choice < 2; choice++) {
		__u32 number = choice ? second_set(hash, 0, SLOTS_PER_CLASS - 1) :
					first_set(hash, 0, SLOTS_PER_CLASS - 1);
		const struct forward_set *set = find_forward_set(world, number & (FORWARD_SETS - 1));
		const struct external_address *external;
		const struct pool *pool;

		if (!set)
			return 0;
		#pragma clang loop unroll(disable)
		for (__u32 i = 0; i < SET_SLOTS; i++) {
			const struct forward *forward = &set->slot[i];

			if (!is_same_key(forward->key, key))
				continue;
			external = find_external_address(world, forward->external_row);
			if (!external || !external->pool_plus_one)
				return 0;
			pool = find_pool(world, external->pool_plus_one - 1);
			if (!pool)
				return 0;
			binding->mapping = find_mapping_at(world, external->tables, class, forward->slot);
			binding->external_address = external->address;
			binding->external_port = NETWORK16((__u16)port_of_slot(options, pool, forward->slot));
			return binding->mapping != NULL;
		}
	}
	return 0;
}

/* The usual case, and the only one that must be fast: the first set of the first block. */
step_inline struct mapping *find_at_home(struct world *world, const struct subscriber *subscriber, __u32 class,
					 __u64 key, __u64 hash, __u32 *slot)
{
	struct slot_range block = subscriber->block[0];
	struct mapping_set *set;
	__u32 number, home = home_slot(hash);

	if (!block.last)
		return NULL;
	number = first_set(hash, block.first, block.last);
	set = find_set(world, subscriber->tables, class, number);
	if (!set)
		return NULL;
	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SET_SLOTS; i++) {
		__u32 n = nth_slot(home, i);

		if (is_same_key(set->slot[n].key, key)) {
			*slot = number * SET_SLOTS + n;
			return &set->slot[n];
		}
	}
	return NULL;
}

step_inline void describe(const struct translation *t, struct place *place, __u64 key, __u64 hash)
{
	__builtin_memset(place, 0, sizeof(*place));
	place->world = t->world;
	place->key = key;
	place->hash = hash;
	place->reference = t->subscriber_reference;
	place->subscriber_address = t->subscriber_address;
	place->tables = t->subscriber->tables;
	place->class = class_of(t->protocol);
	place->now = t->now;
	place->slot = NO_SLOT;
	if (t->protocol == IPPROTO_TCP)
		place->state = TCP_INIT | remote_tag(t->destination, t->destination_port) << STATE_REMOTE_SHIFT;
	place->destination = t->destination;
	place->destination_port = t->destination_port;
}

/* TCP opens a mapping with a SYN, nothing else (TCP-17). */
step_inline int may_open(const struct translation *t)
{
	if (t->protocol != IPPROTO_TCP)
		return 1;
	return (t->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT | TCP_FLAG_RST_BIT | TCP_FLAG_FIN_BIT)) ==
	       TCP_FLAG_SYN_BIT;
}

/* Everywhere else the mapping can be; then, if the packet may, a new one. */
step_inline enum verdict find_elsewhere_or_open(struct translation *t, __u64 key, __u64 hash, __u32 *slot)
{
	struct scratch *scratch = find_scratch(t->world);
	struct mapping *mapping;
	enum verdict verdict;

	if (!scratch)
		return VERDICT_TABLE_MISSING;
	describe(t, &scratch->place, key, hash);
	if (find_place(&scratch->place)) {
		*slot = scratch->place.slot;
		mapping = find_mapping_at(t->world, scratch->place.tables, scratch->place.class, *slot);
		if (mapping && !is_expired(the_options(t->world), mapping, t->now, 0))
			return VERDICT_CONTINUE;
	}
	if (!may_open(t))
		return VERDICT_NOT_SYN;
	verdict = open_mapping(&scratch->place);
	*slot = scratch->place.slot;
	return verdict;
}

/* The external endpoint of the packet's source; endpoint-independent (RFC 4787 REQ-1). */
step_inline enum verdict find_or_open_mapping(struct translation *t)
{
	const volatile struct options *options = the_options(t->world);
	struct subscriber *subscriber = t->subscriber;
	__u64 key = mapping_key(t->source, t->source_port, t->protocol);
	__u64 hash = slot_hash(options->secret, key);
	__u32 class = class_of(t->protocol), slot = 0;
	struct binding forward;
	struct mapping *mapping;

	if (options->forwards && subscriber->flags & SUBSCRIBER_HAS_FORWARDS &&
	    find_forward(t->world, key, hash, class, &forward)) {
		refresh_outbound(t, forward.mapping);
		t->new_source = forward.external_address;
		t->new_source_port = forward.external_port;
		return VERDICT_CONTINUE;
	}
	mapping = find_at_home(t->world, subscriber, class, key, hash, &slot);
	if (!mapping || is_expired(options, mapping, t->now, 0)) {
		TRY(find_elsewhere_or_open(t, key, hash, &slot));
		mapping = find_mapping_at(t->world, subscriber->tables, class, slot);
		if (!mapping)
			return VERDICT_TABLE_MISSING;
	}
	refresh_outbound(t, mapping);
	t->new_source = subscriber->external_address;
	t->new_source_port = external_port_of(t->world, subscriber, slot);
	return VERDICT_CONTINUE;
}

/* The live mapping at an external endpoint; NULL: none. */
step_inline struct mapping *find_by_external(struct translation *t, const struct external_address *external,
					     __be16 port)
{
	const volatile struct options *options = the_options(t->world);
	__u32 slot = NETWORK16(port);
	const struct pool *pool;
	struct mapping *mapping;

	if (options->psid_layout || options->scattered_layout) {
		pool = find_pool(t->world, external->pool_plus_one - 1);
		if (!pool)
			return NULL;
		slot = slot_of_port(options, pool, slot);
	}
	mapping = find_mapping_at(t->world, external->tables, class_of(t->protocol), slot);
	if (!mapping || !(mapping->marks & MARK_IN_USE) || mapping->protocol != t->protocol ||
	    is_expired(options, mapping, t->now, 0))
		return NULL;
	return mapping;
}

/* The internal endpoint behind the packet's destination. Any sender may use it:
 * filtering is endpoint-independent (RFC 4787 REQ-8, RFC 6888 REQ-7). */
step_inline enum verdict find_receiver_mapping(struct translation *t)
{
	struct mapping *mapping = find_by_external(t, t->external, t->destination_port);

	if (!mapping)
		return t->external->flags & ADDRESS_LOCAL ? VERDICT_TO_GATEWAY : VERDICT_NO_MAPPING;
	refresh_inbound(t, mapping);
	t->new_destination = mapping->internal_address;
	t->new_destination_port = mapping->internal_port;
	return VERDICT_CONTINUE;
}

#endif
