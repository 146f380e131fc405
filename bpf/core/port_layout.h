/* port_layout.h - port <-> slot: the bijection on 0..65535 that makes every
 * flavour of port set a run of slots. Blocks are contiguous in slot space.
 *
 *   contiguous  slot = port
 *   psid        RFC 7597 section 5.1: port = A (a bits) | PSID (k) | j (m);
 *               slot = PSID | A | j, so that a port set is one block
 *   scattered   a keyed permutation (RFC 6269 section 13.4): four Feistel rounds */
#ifndef APNAT_CORE_PORT_LAYOUT_H
#define APNAT_CORE_PORT_LAYOUT_H

#include "translation.h"

enum { FEISTEL_ROUNDS = 4 };

step_inline __u32 feistel_round(__u32 half, __u32 key)
{
	__u32 f = (half + 1) * key;

	f ^= f >> 15;
	f *= 0x85ebca6b;
	f ^= f >> 13;
	return f & 0xff;
}

step_inline __u32 scatter(const __u32 *key, __u32 slot)
{
	__u32 left = slot >> 8 & 0xff, right = slot & 0xff, next;

	for (int i = 0; i < FEISTEL_ROUNDS; i++) {
		next = left ^ feistel_round(right, key[i]);
		left = right;
		right = next;
	}
	return left << 8 | right;
}

step_inline __u32 gather(const __u32 *key, __u32 port)
{
	__u32 left = port >> 8 & 0xff, right = port & 0xff, previous;

	for (int i = FEISTEL_ROUNDS - 1; i >= 0; i--) {
		previous = right ^ feistel_round(left, key[i]);
		right = left;
		left = previous;
	}
	return left << 8 | right;
}

step_inline __u32 psid_slot_of_port(__u32 a, __u32 k, __u32 port)
{
	__u32 m = 16 - a - k;
	__u32 high = port >> (16 - a), psid = port >> m & ((1u << k) - 1), low = port & ((1u << m) - 1);

	return psid << (16 - k) | high << m | low;
}

step_inline __u32 psid_port_of_slot(__u32 a, __u32 k, __u32 slot)
{
	__u32 m = 16 - a - k;
	__u32 psid = slot >> (16 - k), high = slot >> m & ((1u << a) - 1), low = slot & ((1u << m) - 1);

	return high << (16 - a) | psid << m | low;
}

step_inline __u32 slot_of_port(const volatile struct options *options, const struct pool *pool, __u32 port)
{
	if (options->psid_layout && pool->port_layout == LAYOUT_PSID)
		return psid_slot_of_port(pool->psid_offset & 15, pool->psid_length & 15, port) & 0xffff;
	if (options->scattered_layout && pool->port_layout == LAYOUT_SCATTERED)
		return gather(pool->layout_key, port);
	return port;
}

step_inline __u32 port_of_slot(const volatile struct options *options, const struct pool *pool, __u32 slot)
{
	if (options->psid_layout && pool->port_layout == LAYOUT_PSID)
		return psid_port_of_slot(pool->psid_offset & 15, pool->psid_length & 15, slot) & 0xffff;
	if (options->scattered_layout && pool->port_layout == LAYOUT_SCATTERED)
		return scatter(pool->layout_key, slot);
	return slot;
}

/* May a subscriber get this slot's port? RFC 7597: with a > 0, A = 0 is nobody's. */
step_inline int is_usable_slot(const volatile struct options *options, const struct pool *pool, __u32 slot)
{
	__u32 port;

	if (!options->psid_layout && !options->scattered_layout)
		return 1;
	port = port_of_slot(options, pool, slot);
	if (port < pool->first_port_host || port > pool->last_port_host)
		return 0;
	return pool->port_layout != LAYOUT_PSID || !pool->psid_offset || port >> (16 - (pool->psid_offset & 15));
}

#endif
