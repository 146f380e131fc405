/* slot_hash.h - where in a block a mapping may stand. A keyed hash of the
 * internal endpoint names two sets of the block and a home in each; the secret
 * makes the port unpredictable from outside (RFC 6056 section 3.3.3, without the
 * remote endpoint: mapping is endpoint-independent, RAND-4). */
#ifndef APNAT_CORE_SLOT_HASH_H
#define APNAT_CORE_SLOT_HASH_H

#include "translation.h"

/* The key word of a mapping of this internal endpoint. */
step_inline __u64 mapping_key(__be32 address, __be16 port, __u8 protocol)
{
	return (__u64)address | (__u64)port << 32 | (__u64)protocol << 48 | (__u64)MARK_IN_USE << 56;
}

step_inline int is_same_key(__u64 a, __u64 b)
{
	return ((a ^ b) & KEY_MASK) == 0;
}

step_inline __u64 slot_hash(const volatile __u64 *secret, __u64 key)
{
	__u64 hash = (key ^ secret[0]) * (secret[1] | 1);

	hash ^= hash >> 32;
	hash = (hash + secret[2]) * (secret[3] | 1);
	return hash ^ hash >> 29;
}

/* Sets are the aligned runs of SET_SLOTS slots; the first and the last of a
 * range may be shared with a neighbour. */
step_inline __u32 scale(__u32 fraction, __u32 count)
{
	return (__u64)fraction * count >> 32;
}

step_inline __u32 count_sets(__u32 first_slot, __u32 last_slot)
{
	return last_slot / SET_SLOTS - first_slot / SET_SLOTS + 1;
}

step_inline __u32 first_set(__u64 hash, __u32 first_slot, __u32 last_slot)
{
	return first_slot / SET_SLOTS + scale(hash >> 32, count_sets(first_slot, last_slot));
}

step_inline __u32 second_set(__u64 hash, __u32 first_slot, __u32 last_slot)
{
	return first_slot / SET_SLOTS + scale((__u32)hash, count_sets(first_slot, last_slot));
}

/* Slots of a set are tried in the order home ^ 0, home ^ 1, ...: the rest of the
 * home's cache line first, then the line beside it. */
step_inline __u32 home_slot(__u64 hash)
{
	return hash >> 20 & (SET_SLOTS - 1);
}

/* The i-th to be tried. The compiler knows that the mask changes nothing; the verifier of 6.1 does not. */
step_inline __u32 nth_slot(__u32 home, __u32 i)
{
	__u32 n = home ^ i;

	keep_order(n);
	return n & (SET_SLOTS - 1);
}

enum { SEARCH_STRIDE = 5003 };	/* a prime above SETS_PER_CLASS: visits every set of any range once */

/* The i-th set of a range, when all are searched. Not one after the other: then the set behind a busy run would
 * get what the whole run turns away, and its ports be easy to guess (RFC 6056 section 3.3, RAND-3). */
step_inline __u32 nth_set(__u64 hash, __u32 first_slot, __u32 last_slot, __u32 i)
{
	return first_slot / SET_SLOTS + ((__u32)hash / 2 + i * SEARCH_STRIDE) % count_sets(first_slot, last_slot);
}

#endif
