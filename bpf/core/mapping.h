/* mapping.h - the port block is the hash table. Finding: the set the hash names,
 * in the subscriber's block; in the usual case one cache line. Opening: a free
 * slot of the emptier of two sets, claimed by compare-and-swap on its key, under
 * the subscriber's lock. The slot is the external port.
 *
 * Every port of a block can be used: when both sets are full the whole block is
 * searched, and a mark on the block says that look-ups must do so too. */
#ifndef APNAT_CORE_MAPPING_H
#define APNAT_CORE_MAPPING_H

#include "port_block.h"
#include "port_layout.h"

enum {
	SET_IS_CROWDED = 12,	/* a first choice with this many is left for the emptier of two */
	NO_SLOT = -1,
	LOCK_ATTEMPTS = 1024,
};

step_inline enum protocol_class class_of(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? CLASS_TCP : protocol == IPPROTO_UDP ? CLASS_UDP : CLASS_OTHER;
}

step_inline __u32 row_of_set(__u32 class, __u32 set)
{
	return class * SETS_PER_CLASS + (set & (SETS_PER_CLASS - 1));
}

step_inline struct mapping_set *find_set(struct world *world, __u32 tables, __u32 class, __u32 set)
{
	return find_mapping_set(world, tables, row_of_set(class, set));
}

/* The mapping at a slot; NULL only if the table is missing. */
step_inline struct mapping *find_mapping_at(struct world *world, __u32 tables, __u32 class, __u32 slot)
{
	struct mapping_set *set = find_set(world, tables, class, slot / SET_SLOTS);

	if (!set)
		return NULL;
	keep_order(set);
	return &set->slot[slot & (SET_SLOTS - 1)];
}

/* ---- one internal endpoint's place in its subscriber's blocks ----------------- */

/* What is looked for or opened, as numbers. */
struct place {
	struct world *world;
	__u64 key;
	__u64 hash;
	__u32 reference;	/* the subscriber */
	__be32 subscriber_address;	/* its prefix's first */
	__u32 tables;		/* of its external address */
	__u32 class;
	__u32 now;
	__u32 first_slot;	/* the block at hand */
	__u32 last_slot;
	__u32 set;		/* the set at hand */
	__s32 slot;		/* the answer */
	__u32 state;		/* of the mapping to open */
	__u32 pool_index;
	__be32 destination;
	__be16 destination_port;
	__u8 locked;
	__u64 ending;		/* where mappings are recorded: key of the expired one at `slot`; 0: none */
};

/* An IPv4 ID that has been given, or is about to be (ipv4_id.h). */
struct id_given {
	struct world *world;
	__u32 row;	/* of ipv4_ids */
	__u32 n;	/* which of the row's */
	__u32 now;
	__u32 strictly;	/* give_id() */
};

/* What the steps off the fast path work on; find_scratch() gives each processor one. */
struct scratch {
	struct place place;
	struct block_search search;
	struct assignment_record record;
	struct refusal refusal;
	struct id_given id;
};

static inline struct assignment_record *begin_record(struct world *world)
{
	struct scratch *scratch = find_scratch(world);

	if (!scratch)
		return NULL;
	__builtin_memset(&scratch->record, 0, sizeof(scratch->record));
	return &scratch->record;
}

static inline struct refusal *begin_refusal(struct world *world)
{
	struct scratch *scratch = find_scratch(world);

	if (!scratch)
		return NULL;
	__builtin_memset(&scratch->refusal, 0, sizeof(scratch->refusal));
	return &scratch->refusal;
}

step_inline __s32 find_in_set(const struct mapping_set *set, __u32 set_number, __u64 key, __u32 home)
{
	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SET_SLOTS; i++) {
		__u32 n = nth_slot(home, i);

		if (is_same_key(set->slot[n].key, key))
			return set_number * SET_SLOTS + n;
	}
	return NO_SLOT;
}

/* place->slot: where in place->set the key stands. */
step_apart int look_in_set(struct place *place)
{
	struct mapping_set *set;

	if (!place)
		return 0;
	place->slot = NO_SLOT;
	set = find_set(place->world, place->tables, place->class, place->set);
	if (!set)
		return 0;
	place->slot = find_in_set(set, place->set, place->key, home_slot(place->hash));
	return place->slot != NO_SLOT;
}

static long look_in_next_set(__u32 i, void *context)
{
	struct place *place = *(struct place **)context;

	place->set = nth_set(place->hash, place->first_slot, place->last_slot, i);
	return stop_if(look_in_set(place));
}

/* The first set of a block; the second if the block has spilled into second sets; all of it if it has overflowed. */
step_inline int look_in_block(struct place *place, struct slot_range block, int spilled, int overflowed)
{
	place->first_slot = block.first;
	place->last_slot = block.last;
	place->set = first_set(place->hash, block.first, block.last);
	if (look_in_set(place))
		return 1;
	if (!spilled)
		return 0;
	place->set = second_set(place->hash, block.first, block.last);
	if (look_in_set(place))
		return 1;
	if (overflowed)
		repeat(place->world, count_sets(block.first, block.last), look_in_next_set, &place);
	return place->slot != NO_SLOT;
}

/* Everywhere the key can be. */
step_apart int find_place(struct place *place)
{
	struct subscriber *subscriber;

	if (!place)
		return 0;
	place->slot = NO_SLOT;
	subscriber = find_subscriber(place->world, place->reference);
	if (!subscriber)
		return 0;
	#pragma clang loop unroll(disable)
	for (__u32 b = 0; b < MAX_SUBSCRIBER_BLOCKS; b++) {
		struct slot_range block = subscriber->block[b];

		if (block.last && look_in_block(place, block, subscriber->spilled >> b & 1,
					       subscriber->overflowed >> b & 1))
			return 1;
	}
	return 0;
}

/* ---- claiming a slot ------------------------------------------------------------ */

/* Is the slot free, or held by a mapping that expired long enough ago? */
step_inline int is_claimable(const struct place *place, const struct pool *pool, const struct mapping *mapping,
			     __u32 slot)
{
	const volatile struct options *options = the_options(place->world);

	if (slot < place->first_slot || slot > place->last_slot)
		return 0;
	if (mapping->key && !is_expired(options, mapping, place->now, RECLAIM_MARGIN))
		return 0;
	return is_usable_slot(options, pool, slot);
}

/* last_seen and state are written before the key: whoever sees the new key sees them too. Only the holder of
 * the subscriber's lock claims slots of its blocks, so no one else writes them meanwhile. */
step_inline int put_in_place_of(struct mapping *mapping, __u64 old, const struct place *place)
{
	mapping->last_seen = place->now;
	mapping->state = place->state;
	return __sync_bool_compare_and_swap(&mapping->key, old, place->key);
}

/* Where mappings are recorded the slot is only chosen here: announce_and_put() puts the key there once the record, and
 * the end of an expired mapping before it, have been told. The subscriber's lock keeps the slot ours. */
step_inline int claim_slot(struct place *place, const struct pool *pool, struct mapping *mapping)
{
	__u64 old = mapping->key;

	if (the_options(place->world)->mapping_log && pool->log != LOG_BLOCKS) {
		place->ending = old;
		return 1;
	}
	return put_in_place_of(mapping, old, place);
}

/* place->slot: a slot of place->set, claimed or chosen. */
step_apart int claim_in_set(struct place *place)
{
	struct mapping_set *set;
	const struct pool *pool;
	__u32 home;

	if (!place)
		return 0;
	place->slot = NO_SLOT;
	pool = find_pool(place->world, place->pool_index);
	set = find_set(place->world, place->tables, place->class, place->set);
	if (!set || !pool)
		return 0;
	home = home_slot(place->hash);
	place->ending = 0;
	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SET_SLOTS; i++) {
		__u32 n = nth_slot(home, i);
		__u32 slot = place->set * SET_SLOTS + n;

		if (is_claimable(place, pool, &set->slot[n], slot) && claim_slot(place, pool, &set->slot[n])) {
			place->slot = slot;
			return 1;
		}
	}
	return 0;
}

step_inline __u32 count_held(const struct mapping_set *set)
{
	__u32 held = 0;

	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SET_SLOTS; i++)
		held += set->slot[i].key >> 63; /* MARK_IN_USE, without a branch for the verifier to follow */
	return held;
}

static long claim_in_next_set(__u32 i, void *context)
{
	struct place *place = *(struct place **)context;

	place->set = nth_set(place->hash, place->first_slot, place->last_slot, i);
	return stop_if(claim_in_set(place));
}

/* Of the two sets, the one to try first. */
step_inline int is_second_emptier(struct place *place, __u32 first, __u32 second)
{
	const struct mapping_set *one = find_set(place->world, place->tables, place->class, first);
	const struct mapping_set *other = find_set(place->world, place->tables, place->class, second);
	__u32 held;

	if (!one || !other)
		return 0;
	held = count_held(one);
	return held >= SET_IS_CROWDED && count_held(other) < held;
}

/* A slot of the subscriber's block[b]: the first choice while it is not crowded, else the emptier of two, else any. */
step_apart int claim_in_block(struct place *place, __u32 b)
{
	struct subscriber *subscriber;
	struct slot_range block;
	__u32 first, second;

	if (!place)
		return 0;
	place->slot = NO_SLOT;
	subscriber = find_subscriber(place->world, place->reference);
	if (!subscriber)
		return 0;
	b &= MAX_SUBSCRIBER_BLOCKS - 1;
	block = subscriber->block[b];
	if (!block.last || subscriber->closing >> b & 1)
		return 0;
	place->first_slot = block.first;
	place->last_slot = block.last;
	first = first_set(place->hash, block.first, block.last);
	second = second_set(place->hash, block.first, block.last);
	if (is_second_emptier(place, first, second)) {
		__u32 emptier = second;

		second = first;
		first = emptier;
		subscriber->spilled |= 1u << b;
	}
	place->set = first;
	if (claim_in_set(place))
		return 1;
	/* The marks are set first: a look-up on another processor must not miss what is claimed next. */
	subscriber->spilled |= 1u << b;
	place->set = second;
	if (claim_in_set(place))
		return 1;
	subscriber->overflowed |= 1u << b;
	repeat(place->world, count_sets(block.first, block.last), claim_in_next_set, &place);
	return place->slot != NO_SLOT;
}

/* ---- opening a mapping -------------------------------------------------------------- */

static long try_lock(__u32 i, void *context)
{
	struct place *place = *(struct place **)context;
	struct subscriber *subscriber = find_subscriber(place->world, place->reference);

	(void)i;
	if (!subscriber)
		return 1;
	place->locked = __sync_bool_compare_and_swap(&subscriber->lock, 0, place->now | 1);
	return stop_if(place->locked);
}

/* RFC 6888 REQ-4c: a subscriber may open so many mappings a second. */
step_inline int is_over_rate(const struct place *place, const struct pool *pool, struct subscriber *subscriber)
{
	__u32 limit = pool->max_new_mappings_per_second;
	__u16 second = place->now >> 4;

	if (!the_options(place->world)->rate_limit || !limit)
		return 0;
	if (subscriber->rate_second != second) {
		subscriber->rate_second = second;
		subscriber->new_in_second = 0;
	}
	if (subscriber->new_in_second >= limit)
		return 1;
	subscriber->new_in_second++;
	return 0;
}

/* When the mapping at place->slot was made; NULL: its pool has no such table. */
step_inline __u64 *find_creation_at(const struct place *place)
{
	struct creation_set *created = find_creation_set(place->world, place->tables,
							 row_of_set(place->class, (__u32)place->slot / SET_SLOTS));

	if (!created)
		return NULL;
	keep_order(created);
	return &created->created_at_ns[place->slot & (SET_SLOTS - 1)];
}

/* What a mapping's record says, begin or end. `key`: of the mapping, whether it stands yet or not. NULL: a table is
 * missing. */
step_inline struct assignment_record *describe_mapping(struct place *place, const struct pool *pool, __u64 key)
{
	const struct subscriber *subscriber = find_subscriber(place->world, place->reference);
	struct assignment_record *what = begin_record(place->world);

	if (!subscriber || !what)
		return NULL;
	what->world = place->world;
	what->pool_index = place->pool_index;
	what->subscriber = place->subscriber_address;
	what->internal_address = (__be32)key;
	what->internal_port = (__be16)(key >> 32);
	what->external_address = subscriber->external_address;
	what->external_port = NETWORK16((__u16)port_of_slot(the_options(place->world), pool, place->slot));
	what->protocol = (__u8)(key >> 48);
	what->tai_ns = now_tai_ns(place->world);
	return what;
}

/* The end of the expired mapping at place->slot. 0: must be recorded, and there is no place. */
step_apart int announce_end(struct place *place)
{
	struct assignment_record *what;
	const struct pool *pool;
	const __u64 *created_at;

	if (!place)
		return 0;
	pool = find_pool(place->world, place->pool_index);
	created_at = find_creation_at(place);
	if (!pool || !created_at)
		return 0;
	/* Older than its pool's log: it was never told of, so its end is not either. */
	if (!*created_at)
		return 1;
	what = describe_mapping(place, pool, place->ending);
	if (!what)
		return 0;
	what->type = EVENT_MAPPING_DELETED;
	what->created_at_ns = *created_at;
	return announce(what) || pool->flags & POOL_CONTINUE_UNLOGGED;
}

/* Recorded, and only then there. The agent may have freed the expired mapping just now; a forward that it has put
 * there ends what was told. */
step_apart int announce_and_put(struct place *place)
{
	struct assignment_record *what;
	struct mapping *mapping;
	const struct pool *pool;
	__u64 *created_at;
	int told;

	if (!place)
		return VERDICT_TABLE_MISSING;
	pool = find_pool(place->world, place->pool_index);
	mapping = find_mapping_at(place->world, place->tables, place->class, place->slot);
	created_at = find_creation_at(place);
	if (!pool || !mapping || !created_at)
		return VERDICT_TABLE_MISSING;
	what = describe_mapping(place, pool, place->key);
	if (!what)
		return VERDICT_TABLE_MISSING;
	what->type = EVENT_MAPPING_CREATED;
	if (pool->log == LOG_MAPPINGS_WITH_DESTINATION) {
		what->destination_address = place->destination;
		what->destination_port = place->destination_port;
	}
	told = announce(what);
	if (!told && !(pool->flags & POOL_CONTINUE_UNLOGGED))
		return VERDICT_EVENT_RING_FULL;
	if (put_in_place_of(mapping, place->ending, place) || put_in_place_of(mapping, 0, place)) {
		*created_at = what->tai_ns;
		return VERDICT_CONTINUE;
	}
	if (told) {
		what->type = EVENT_MAPPING_DELETED;
		what->created_at_ns = what->tai_ns;
		announce(what);
	}
	return VERDICT_SUBSCRIBER_BUSY;
}

/* Recorded where the pool wants that; counted in its block. */
step_inline enum verdict note_new_mapping(struct place *place, const struct pool *pool)
{
	struct port_block *block;

	if (the_options(place->world)->mapping_log && pool->log != LOG_BLOCKS) {
		if (place->ending && !announce_end(place))
			return VERDICT_EVENT_RING_FULL;
		TRY(announce_and_put(place));
	}
	if (pool->assignment == ASSIGN_DYNAMIC) {
		block = find_port_block(place->world, place->tables,
					(__u32)place->slot >> (pool->block_size_log2 & 15));
		if (block)
			__sync_fetch_and_add(&block->mappings_created, 1);
	}
	return VERDICT_CONTINUE;
}

/* The key stands there; if its time was up, the same endpoint takes it up again. The generation tells a sweep
 * under way that this is no longer the mapping it meant to end. 0: it has just gone. */
step_inline int revive(const struct place *place, struct mapping *mapping)
{
	__u64 old = mapping->key;
	__u64 generation = ((old >> 56) + 1) & MARK_GENERATION;
	__u64 revived = (old & ~((__u64)MARK_GENERATION << 56)) | generation << 56;

	if (!is_same_key(old, place->key))
		return 0;
	if (!is_expired(the_options(place->world), mapping, place->now, 0))
		return 1;
	mapping->last_seen = place->now;
	mapping->state = place->state;
	return __sync_bool_compare_and_swap(&mapping->key, old, revived);
}

/* A slot in some block the subscriber holds, or in one more. */
step_inline enum verdict claim_anywhere(struct place *place, const struct pool *pool,
					const struct subscriber *subscriber)
{
	struct scratch *scratch;
	struct block_search *search;
	enum verdict verdict;

	#pragma clang loop unroll(disable)
	for (__u32 b = 0; b < MAX_SUBSCRIBER_BLOCKS; b++) {
		if (claim_in_block(place, b))
			return note_new_mapping(place, pool);
	}
	if (subscriber->flags & SUBSCRIBER_FIXED_BLOCKS)
		return VERDICT_PORT_LIMIT;
	scratch = find_scratch(place->world);
	if (!scratch)
		return VERDICT_TABLE_MISSING;
	search = &scratch->search;
	__builtin_memset(search, 0, sizeof(*search));
	search->world = place->world;
	search->reference = place->reference;
	search->subscriber_address = place->subscriber_address;
	search->pool_index = place->pool_index;
	search->now = place->now;
	verdict = take_block(search);
	if (verdict != VERDICT_CONTINUE)
		return verdict;
	place->tables = subscriber->tables;
	if (!claim_in_block(place, search->place))
		return VERDICT_PORT_LIMIT;
	return note_new_mapping(place, pool);
}

step_inline enum verdict open_locked(struct place *place, const struct pool *pool, struct subscriber *subscriber)
{
	struct mapping *mapping;

	if (find_place(place)) {
		mapping = find_mapping_at(place->world, place->tables, place->class, place->slot);
		if (mapping && revive(place, mapping))
			return VERDICT_CONTINUE;
	}
	if (is_over_rate(place, pool, subscriber))
		return VERDICT_RATE_LIMIT;
	return claim_anywhere(place, pool, subscriber);
}

step_inline void report_refused(const struct place *place, const struct pool *pool, enum verdict verdict)
{
	struct refusal *what = begin_refusal(place->world);

	if (!what)
		return;
	what->world = place->world;
	what->subscriber_reference = place->reference;
	what->now = place->now;
	what->verdict = verdict;
	what->pool_index = place->pool_index;
	what->subscriber = place->subscriber_address;
	if (verdict == VERDICT_ADDRESS_EXHAUSTED) {
		what->type = EVENT_POOL_EXHAUSTED;
		what->limit = pool->address_count * (pool->last_block - pool->first_block + 1u);
	} else if (verdict == VERDICT_PORT_LIMIT || verdict == VERDICT_PORT_EXHAUSTED) {
		what->type = EVENT_QUOTA_EXCEEDED;
		what->limit = pool->max_blocks;
	} else if (verdict == VERDICT_RATE_LIMIT) {
		what->type = EVENT_QUOTA_EXCEEDED;
		what->limit = pool->max_new_mappings_per_second;
	} else {
		return;
	}
	report(what);
}

/* A mapping for place->key, at place->slot; one that another processor has just opened will do. */
step_apart int open_mapping(struct place *place)
{
	struct subscriber *subscriber;
	const struct pool *pool;
	enum verdict verdict;

	if (!place)
		return VERDICT_TABLE_MISSING;
	subscriber = find_subscriber(place->world, place->reference);
	if (!subscriber || !subscriber->pool_plus_one)
		return VERDICT_TABLE_MISSING;
	place->pool_index = subscriber->pool_plus_one - 1;
	pool = find_pool(place->world, place->pool_index);
	if (!pool)
		return VERDICT_TABLE_MISSING;
	place->locked = 0;
	repeat(place->world, LOCK_ATTEMPTS, try_lock, &place);
	if (!place->locked)
		return VERDICT_SUBSCRIBER_BUSY;
	place->tables = subscriber->tables;
	verdict = open_locked(place, pool, subscriber);
	__sync_lock_test_and_set(&subscriber->lock, 0);
	if (verdict != VERDICT_CONTINUE)
		report_refused(place, pool, verdict);
	return verdict;
}

#endif
