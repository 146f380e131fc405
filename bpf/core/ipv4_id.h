/* ipv4_id.h - whose ID a packet leaves with (RFC 6864 section 5.3.1: a rewriter of
 * addresses is the source). A non-atomic packet for the external realm, or turned
 * round inside, gets one that is not given again to the same (source, destination,
 * protocol) within its lifetime, as far as 16 bits allow. IDs are for reassembly
 * and nothing else: no step ever looks at one (ID-1). */
#ifndef APNAT_CORE_IPV4_ID_H
#define APNAT_CORE_IPV4_ID_H

#include "way_out.h"

enum {
	IPV4_ID_MASK = 0xffff,
	IPV4_ID_SEGMENT_SHIFT = 10,	/* 65,536 IDs in IPV4_ID_SEGMENTS */
	IPV4_ID_SEGMENT_MASK = (1 << IPV4_ID_SEGMENT_SHIFT) - 1,
	IPV4_ID_TICK_MASK = (1 << IPV4_ID_TICK_BITS) - 1,
	IPV4_ID_LOW4 = 0x000f,
};
_Static_assert(IPV4_ID_SEGMENTS << IPV4_ID_SEGMENT_SHIFT == IPV4_ID_MASK + 1, "the segments are all the IDs");

step_inline int is_atomic(const struct translation *t)
{
	return (t->ip->frag_off & NETWORK16(IP_DONT_FRAGMENT | IP_MORE_FRAGMENTS | IP_OFFSET_MASK)) ==
	       NETWORK16(IP_DONT_FRAGMENT);
}

/* Another secret order of the words than slot_hash(): a port tells nothing of an ID. */
step_inline __u64 id_hash(const volatile __u64 *secret, __be32 source, __be32 destination, __u8 protocol)
{
	__u64 hash = (((__u64)destination << 32 | source) ^ secret[2]) * (secret[0] | 1);

	hash ^= hash >> 32;
	hash = (hash + secret[3] + protocol) * (secret[1] | 1);
	return hash ^ hash >> 29;
}

/* A permutation of 0..65535 chosen by `key`: the IDs of one destination come in an order of its own, from a start of
 * its own, that says nothing of how many there were (ID-12, RFC 7739). Each step has an inverse. */
step_inline __u16 permute_id(__u64 key, __u32 n)
{
	__u32 id = (n + (__u32)key) & IPV4_ID_MASK;

	id = id * ((__u32)(key >> 16) | 1) & IPV4_ID_MASK;
	id ^= id >> 7;
	id = id * ((__u32)(key >> 28) | 1) & IPV4_ID_MASK;
	return id ^ id >> 9;
}

step_inline __u32 segment_of(__u32 n)
{
	return n >> IPV4_ID_SEGMENT_SHIFT & (IPV4_ID_SEGMENTS - 1);
}

/* Once in 1,024 IDs: what ipv4_id_row.last_lap is to be while the n-th is given. */
step_apart int look_up_last_lap(struct id_given *id)
{
	const struct ipv4_id_laps *laps;

	if (!id)
		return 0;
	laps = find_ipv4_id_laps(id->world, id->row);
	return segment_of(id->n) << IPV4_ID_TICK_BITS |
	       (laps ? laps->used_up_at[segment_of(id->n)] & IPV4_ID_TICK_MASK : 0);
}

/* Was it too lately? It is never 0 once used, so it may be a tick ahead. */
step_inline int is_lately(__u32 used_up_at, __u32 now, __u32 lifetime)
{
	return used_up_at && ((now + 1 - used_up_at) & IPV4_ID_TICK_MASK) <= lifetime;
}

/* An ID has just been given that is its segment's last, or of another segment than was asked about: several processors
 * may ask about a segment, and only one gets its last. Returns whether the packet may not have the other's. */
step_apart int cross_segment(struct id_given *id)
{
	struct ipv4_id_laps *laps;
	struct node_state *node;

	if (!id)
		return 0;
	laps = find_ipv4_id_laps(id->world, id->row);
	node = find_node_state(id->world);
	if (!laps || !node)
		return 0;
	if ((id->n & IPV4_ID_SEGMENT_MASK) == IPV4_ID_SEGMENT_MASK) {
		laps->used_up_at[segment_of(id->n)] = id->now | 1;
		return 0;
	}
	if (!is_lately(laps->used_up_at[segment_of(id->n)] & IPV4_ID_TICK_MASK, id->now,
		       the_options(id->world)->ipv4_id_ticks))
		return 0;
	if (id->strictly || the_options(id->world)->ipv4_id_on_repeat != ID_REPEAT_COUNT)
		return 1;
	__sync_fetch_and_add(&node->ids_repeated, 1);
	return 0;
}

step_inline struct id_given *describe_id(const struct translation *t, __u32 row, __u32 n, int strictly)
{
	struct scratch *scratch = find_scratch(t->world);

	if (!scratch)
		return NULL;
	scratch->id.world = t->world;
	scratch->id.row = row;
	scratch->id.n = n;
	scratch->id.now = t->now;
	scratch->id.strictly = strictly;
	return &scratch->id;
}

/* When the n-th ID's segment was used up a lap ago; the first packet of a segment looks it up for all that follow. */
step_inline __u32 find_last_lap(const struct translation *t, __u32 number, struct ipv4_id_row *row, __u32 n)
{
	if (row->last_lap >> IPV4_ID_TICK_BITS != segment_of(n))
		row->last_lap = look_up_last_lap(describe_id(t, number, n, 0));
	return row->last_lap & IPV4_ID_TICK_MASK;
}

/* Told to the agent, seldom (ID-15); counted always. */
step_inline void note_repeat(struct translation *t, int made_atomic)
{
	struct node_state *node = find_node_state(t->world);
	struct refusal *what;

	if (!node)
		return;
	__sync_fetch_and_add(made_atomic ? &node->ids_made_atomic : &node->ids_repeated, 1);
	what = begin_refusal(t->world);
	if (!what)
		return;
	what->world = t->world;
	what->type = EVENT_IPV4_ID_REPEATED;
	what->now = t->now;
	what->protocol = t->ip->protocol;
	what->external_address = t->new_source;
	report(what);
}

/* An ID of its own for a non-atomic packet. `strictly`: it leaves in pieces, and a repeat could splice it with another
 * (ID-8, K-3); one that leaves whole is only counted, unless the operator wants otherwise. */
step_inline enum verdict give_id(struct translation *t, int strictly)
{
	const volatile struct options *options = the_options(t->world);
	__u64 hash = id_hash(options->secret, t->new_source, t->new_destination, t->ip->protocol);
	__u32 number = hash >> 48, asked, n;
	struct ipv4_id_row *row = find_ipv4_id_row(t->world, number);

	if (!row)
		return VERDICT_TABLE_MISSING;
	asked = *(volatile __u32 *)&row->given;
	if (is_lately(find_last_lap(t, number, row, asked), t->now, options->ipv4_id_ticks)) {
		if (strictly || options->ipv4_id_on_repeat == ID_REPEAT_DROP)
			return VERDICT_IPV4_ID_EXHAUSTED;
		note_repeat(t, options->ipv4_id_on_repeat == ID_REPEAT_MAKE_ATOMIC);
		if (options->ipv4_id_on_repeat == ID_REPEAT_MAKE_ATOMIC) {
			t->new_fragment_field |= NETWORK16(IP_DONT_FRAGMENT);
			return VERDICT_CONTINUE;
		}
	}
	n = __sync_fetch_and_add(&row->given, 1);
	if ((segment_of(n ^ asked) || (n & IPV4_ID_SEGMENT_MASK) == IPV4_ID_SEGMENT_MASK) &&
	    cross_segment(describe_id(t, number, n, strictly)))
		return VERDICT_IPV4_ID_EXHAUSTED;
	t->new_id = permute_id(hash, n);
	return VERDICT_CONTINUE;
}

/* RFC 6864 section 4.1: any value will do. */
step_inline void choose_atomic_id(struct translation *t)
{
	__u8 choice = the_options(t->world)->ipv4_id_atomic;

	if (choice == ATOMIC_ID_ZERO)
		t->new_id = 0;
	else if (choice == ATOMIC_ID_RANDOM)
		t->new_id = random_u32(t->world);
	else if (choice == ATOMIC_ID_LOW4)
		t->new_id = t->ip->id & NETWORK16(IPV4_ID_LOW4);
}

/* Inbound, a sender's IDs are unique towards one external address. They are so towards the subscriber too, as long as
 * all it has is on that address (paired pooling): then they are kept. A subscriber with forwards on other addresses
 * might get the same ID twice, so all that it gets is numbered here. */
step_inline int may_meet_other_ids(struct translation *t)
{
	struct subscriber *receiver;
	__u32 reference;
	__be32 prefix;

	if (!the_options(t->world)->forwards)
		return 0;
	receiver = find_subscriber_of(t->world, t->new_destination, &reference, &prefix);
	return receiver && receiver->flags & SUBSCRIBER_HAS_FORWARDS;
}

step_inline enum verdict own_identification(struct translation *t, enum verdict way)
{
	t->new_id = t->ip->id;
	t->new_fragment_field = t->ip->frag_off;
	if (is_atomic(t)) {
		if (t->direction == DIRECTION_OUTBOUND)
			choose_atomic_id(t);
		return VERDICT_CONTINUE;
	}
	if (t->direction == DIRECTION_INBOUND && !may_meet_other_ids(t))
		return VERDICT_CONTINUE;
	return give_id(t, the_options(t->world)->slow_path || way == VERDICT_FRAGMENTED_BY_KERNEL);
}

#endif
