/* hairpin.h - from inside, for an external endpoint of ours (RFC 4787 REQ-9):
 * both translations at once, so that the receiver sees the sender's external
 * endpoint. Turned round once and no more: what comes out has an internal
 * destination. */
#ifndef APNAT_CORE_HAIRPIN_H
#define APNAT_CORE_HAIRPIN_H

#include "find.h"

step_inline enum verdict turn_if_hairpin(struct translation *t)
{
	const struct pool *pool;

	if (!t->external)
		return VERDICT_CONTINUE;
	pool = find_pool(t->world, t->external->pool_plus_one - 1);
	if (!pool)
		return VERDICT_TABLE_MISSING;
	if (!the_options(t->world)->hairpinning || !(pool->flags & POOL_HAIRPINNING))
		return t->external->flags & ADDRESS_LOCAL ? VERDICT_TO_GATEWAY : VERDICT_HAIRPIN_OFF;
	t->hairpin = 1;
	return find_receiver_mapping(t);
}

#endif
