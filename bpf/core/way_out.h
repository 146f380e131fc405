/* way_out.h - where the translated packet goes: asked of the kernel's routing
 * before the frame is touched, because the answer decides who finishes the job. */
#ifndef APNAT_CORE_WAY_OUT_H
#define APNAT_CORE_WAY_OUT_H

#include "rewrite.h"

enum { STAMP_SHIFT = 4 };	/* ticks >> STAMP_SHIFT: about a second */

/* DF=0: the kernel fragments what we have translated. DF=1: the packet ends here, and
 * the agent tells its sender, quoting it as it came (docs/decisions/0004). */
step_inline enum verdict verdict_too_big(const struct translation *t)
{
	if (!(t->ip->frag_off & NETWORK16(IP_DONT_FRAGMENT)))
		return VERDICT_FRAGMENTED_BY_KERNEL;
	if (t->direction == DIRECTION_OUTBOUND && !t->hairpin)
		return VERDICT_FRAGMENTATION_NEEDED;
	return VERDICT_INBOUND_TOO_BIG;
}

step_inline enum verdict verdict_forwarded(const struct translation *t)
{
	if (t->hairpin)
		return VERDICT_HAIRPINNED;
	return t->direction == DIRECTION_OUTBOUND ? VERDICT_TRANSLATED_OUTBOUND : VERDICT_TRANSLATED_INBOUND;
}

/* The slow path cuts a datagram to frames of one buffer. */
step_inline int is_in_several_buffers(const struct translation *t)
{
	__u32 length = NETWORK16(t->ip->tot_len);

	keep_order(length); /* the verifier of 6.1 knows no bound of what was swapped, and the compiler one too many */
	return !the_options(t->world)->slow_path && (void *)t->ip + (length & 0xffff) > t->data_end;
}

/* How this packet ends, given its mapping: never VERDICT_CONTINUE. */
step_inline enum verdict find_way_out(struct translation *t)
{
	const struct interface *egress;

	t->route.ingress_ifindex = t->interface_ifindex;
	t->route.source = t->new_source;
	t->route.destination = t->new_destination;
	t->route.total_length_host = NETWORK16(t->ip->tot_len);
	t->route.protocol = t->ip->protocol;
	t->route.tos = t->ip->tos;
	t->route.stamp += t->now >> STAMP_SHIFT;	/* the rest of it: parse_link() */
	t->route.egress_ifindex = 0;
	t->route.mtu = 0;
	switch (find_route(t->world, &t->route)) {
	case ROUTE_FOUND:
		break;
	case ROUTE_NO_NEIGHBOUR:
		return VERDICT_NEIGHBOUR_PENDING;
	case ROUTE_TOO_BIG:
		return verdict_too_big(t);
	case ROUTE_BY_KERNEL:
		return VERDICT_EGRESS_BY_KERNEL;
	case ROUTE_PROHIBITED:
		return VERDICT_ROUTE_PROHIBITED;
	case ROUTE_FORWARDING_OFF:
		return VERDICT_FORWARDING_OFF;
	default:
		return VERDICT_NO_ROUTE;
	}
	egress = find_interface(t->world, t->route.egress_ifindex);
	if (!egress)
		return VERDICT_EGRESS_BY_KERNEL;
	if ((egress->flags & (INTERFACE_EGRESS | INTERFACE_ONE_BUFFER)) != INTERFACE_EGRESS &&
	    (!(egress->flags & INTERFACE_EGRESS) || is_in_several_buffers(t)))
		return VERDICT_EGRESS_BY_KERNEL;
	return verdict_forwarded(t);
}

step_inline int is_forwarded(enum verdict verdict)
{
	return verdict == VERDICT_TRANSLATED_OUTBOUND || verdict == VERDICT_TRANSLATED_INBOUND ||
	       verdict == VERDICT_HAIRPINNED;
}

step_inline int is_finished_by_kernel(enum verdict verdict)
{
	return verdict == VERDICT_NEIGHBOUR_PENDING || verdict == VERDICT_FRAGMENTED_BY_KERNEL ||
	       verdict == VERDICT_EGRESS_BY_KERNEL;
}

#endif
