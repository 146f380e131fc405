/* port_block.h - a dynamic pool's subscriber takes a block of ports, here and
 * now, without a trip to user space: the block table is the one truth about
 * who holds what, and a compare-and-swap on its owner the way to get one. The
 * caller holds the subscriber's lock. */
#ifndef APNAT_CORE_PORT_BLOCK_H
#define APNAT_CORE_PORT_BLOCK_H

#include "announce.h"

/* A search for a free block, and what it found. */
struct block_search {
	struct world *world;
	__u32 reference;	/* the subscriber */
	__be32 subscriber_address;
	__u32 pool_index;
	__u32 now;
	__u32 held;		/* blocks it holds */
	__u32 place;		/* where in its block[] the new one goes */
	__u32 external_row;	/* the address at hand */
	__u32 tables;
	__u32 first_block;
	__u32 count;		/* blocks an address has */
	__u32 block_start;	/* where on an address to begin: chosen at random (DET-16) */
	__u32 address_start;
	__s32 block_number;	/* the answer, claimed; -1: none */
};

static long try_block(__u32 i, void *context)
{
	struct block_search *search = *(struct block_search **)context;
	__u32 number = search->block_start + i;
	struct port_block *block;

	if (number >= search->count)
		number -= search->count;
	number += search->first_block;
	block = find_port_block(search->world, search->tables, number);
	if (!block)
		return 1;
	if (block->owner_plus_one || (block->available_from && (__s32)(search->now - block->available_from) < 0))
		return 0;
	if (!__sync_bool_compare_and_swap(&block->owner_plus_one, 0, search->reference + 1))
		return 0;
	search->block_number = number;
	return 1;
}

/* A free block of the address at hand. */
step_apart int search_address(struct block_search *search)
{
	const struct external_address *external;
	const struct pool *pool;
	__u32 owned;

	if (!search)
		return 0;
	search->block_number = -1;
	pool = find_pool(search->world, search->pool_index);
	external = find_external_address(search->world, search->external_row);
	if (!pool || !external || external->pool_plus_one != search->pool_index + 1)
		return 0;
	owned = external->blocks_owned;
	if (owned >= search->count || (search->held && search->count - owned <= pool->first_block_reserve))
		return 0;
	search->tables = external->tables;
	search->block_start = scale(random_u32(search->world), search->count);
	repeat(search->world, search->count, try_block, &search);
	return search->block_number >= 0;
}

/* The row of the pool's n-th address. */
step_inline __u32 row_of_pool_address(struct world *world, const struct pool *pool, __u32 n)
{
	const struct pool_address *address = find_pool_address(world, pool->address_first + n);

	return address ? address->external_row : 0;
}

static long try_address(__u32 i, void *context)
{
	struct block_search *search = *(struct block_search **)context;
	const struct pool *pool = find_pool(search->world, search->pool_index);
	__u32 n = search->address_start + i;

	if (!pool)
		return 1;
	if (n >= pool->address_count)
		n -= pool->address_count;
	search->external_row = row_of_pool_address(search->world, pool, n);
	return stop_if(search_address(search));
}

/* A new subscriber's address: the emptier of two drawn at random (SHARE-53), then any other. */
step_apart int search_pool(struct block_search *search)
{
	const struct external_address *one, *other;
	const struct pool *pool;
	__u32 row_of_one, row_of_other;

	if (!search)
		return 0;
	pool = find_pool(search->world, search->pool_index);
	if (!pool)
		return 0;
	row_of_one = row_of_pool_address(search->world, pool, scale(random_u32(search->world), pool->address_count));
	row_of_other = row_of_pool_address(search->world, pool, scale(random_u32(search->world), pool->address_count));
	one = find_external_address(search->world, row_of_one);
	other = find_external_address(search->world, row_of_other);
	if (!one || !other)
		return 0;
	search->external_row = one->blocks_owned < other->blocks_owned ? row_of_one : row_of_other;
	if (search_address(search))
		return 1;
	search->address_start = scale(random_u32(search->world), pool->address_count);
	repeat(search->world, pool->address_count, try_address, &search);
	return search->block_number >= 0;
}

/* Makes the claimed block known, then the subscriber's. Not recorded and may not be: given back. */
step_apart int hand_over(struct block_search *search)
{
	struct external_address *external;
	struct subscriber *subscriber;
	struct port_block *block;
	const struct pool *pool;
	struct assignment_record *what;
	__u32 first, last;

	if (!search)
		return VERDICT_TABLE_MISSING;
	external = find_external_address(search->world, search->external_row);
	subscriber = find_subscriber(search->world, search->reference);
	pool = find_pool(search->world, search->pool_index);
	block = find_port_block(search->world, search->tables, search->block_number);
	what = begin_record(search->world);
	if (!external || !subscriber || !pool || !block || !what)
		return VERDICT_TABLE_MISSING;
	first = (__u32)search->block_number << (pool->block_size_log2 & 15);
	last = first + (1u << (pool->block_size_log2 & 15)) - 1;
	what->world = search->world;
	what->type = EVENT_PORT_BLOCK_ASSIGNED;
	what->pool_index = search->pool_index;
	what->first_slot = first;
	what->last_slot = last;
	what->subscriber = search->subscriber_address;
	what->external_address = external->address;
	what->tai_ns = now_tai_ns(search->world);
	block->subscriber = search->subscriber_address;
	block->mappings_created = 0;
	block->assigned_at_ns = what->tai_ns;
	if (!announce(what) && !(pool->flags & POOL_CONTINUE_UNLOGGED)) {
		__sync_lock_test_and_set(&block->owner_plus_one, 0);
		return VERDICT_EVENT_RING_FULL;
	}
	block->assigned_seq = what->seq;
	__sync_fetch_and_add(&external->blocks_owned, 1);
	if (!search->held)
		__sync_fetch_and_add(&external->first_blocks, 1);
	subscriber->external_row_plus_one = search->external_row + 1;
	subscriber->external_address = external->address;
	subscriber->tables = external->tables;
	subscriber->spilled &= ~(1u << (search->place & (MAX_SUBSCRIBER_BLOCKS - 1)));
	subscriber->overflowed &= ~(1u << (search->place & (MAX_SUBSCRIBER_BLOCKS - 1)));
	subscriber->block[search->place & (MAX_SUBSCRIBER_BLOCKS - 1)] = (struct slot_range){ first, last };
	return VERDICT_CONTINUE;
}

/* How many blocks the subscriber holds, and where in block[] there is room. */
step_inline void count_blocks(struct block_search *search, const struct subscriber *subscriber)
{
	search->held = 0;
	search->place = MAX_SUBSCRIBER_BLOCKS;
	for (__u32 i = 0; i < MAX_SUBSCRIBER_BLOCKS; i++) {
		if (subscriber->block[i].last)
			search->held++;
		else if (search->place == MAX_SUBSCRIBER_BLOCKS)
			search->place = i;
	}
}

/* One more block for the subscriber of `search`, at block[search->place]. */
step_apart int take_block(struct block_search *search)
{
	struct subscriber *subscriber;
	const struct pool *pool;

	if (!search)
		return VERDICT_TABLE_MISSING;
	subscriber = find_subscriber(search->world, search->reference);
	pool = find_pool(search->world, search->pool_index);
	if (!subscriber || !pool)
		return VERDICT_TABLE_MISSING;
	count_blocks(search, subscriber);
	if (search->held >= pool->max_blocks || search->place >= MAX_SUBSCRIBER_BLOCKS)
		return VERDICT_PORT_LIMIT;
	search->first_block = pool->first_block;
	search->count = pool->last_block - pool->first_block + 1u;
	search->block_number = -1;
	if (subscriber->external_row_plus_one) {
		search->external_row = subscriber->external_row_plus_one - 1;
		if (search_address(search))
			return hand_over(search);
		if (search->held)
			return VERDICT_PORT_EXHAUSTED;
	}
	if (!search_pool(search))
		return VERDICT_ADDRESS_EXHAUSTED;
	return hand_over(search);
}

#endif
