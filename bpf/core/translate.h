/* translate.h - READ THIS FIRST. A packet's whole way, one line a step, in the
 * order it happens; the includes are in visiting order too:
 *
 *   parse (checksum) -> owner (directory) -> hairpin, find (mapping, port_block,
 *   port_layout, slot_hash, lifetime, announce) or icmp -> way_out -> ipv4_id -> rewrite
 *
 * Steps do not call steps and count nothing; each returns the packet's end or
 * VERDICT_CONTINUE. core/README.md has the rules of this restricted C. */
#ifndef APNAT_CORE_TRANSLATE_H
#define APNAT_CORE_TRANSLATE_H

#include "owner.h"
#include "ipv4_id.h"
#include "arp.h"

/* The packet becomes what it shall be, as far as it is ours to finish. */
step_inline enum verdict send(struct translation *t)
{
	enum verdict verdict = find_way_out(t);

	if (!is_forwarded(verdict) && !is_finished_by_kernel(verdict))
		return verdict;
	TRY(own_identification(t, verdict));
	rewrite(t);
	/* A kernel that forwards does this itself; what the slow path hands to it does not pass there. */
	if (is_forwarded(verdict) || the_options(t->world)->slow_path)
		decrement_ttl(t);
	return verdict;
}

/* RFC 1858, RFC 6864: a fragment has no ports, and its ID is not ours. Never translated one by one: the agent puts
 * the datagram together and runs it through here again, whole. */
step_inline enum verdict stop_fragment(struct translation *t)
{
	return is_fragment(t) ? VERDICT_FRAGMENT : VERDICT_CONTINUE;
}

/* The kernel answers with time exceeded, quoting the packet as it came; it cannot leave, its time is up. */
step_inline enum verdict stop_expired(struct translation *t)
{
	return t->ip->ttl <= 1 ? VERDICT_TTL_EXPIRED : VERDICT_CONTINUE;
}

/* A subscriber's packet on its way out, or round to another subscriber. */
step_inline enum verdict outbound(struct translation *t)
{
	if (t->icmp_error) {
		TRY(find_outbound_error(t));
	} else {
		if (!t->subscriber)
			return VERDICT_NOT_A_SUBSCRIBER;
		TRY(turn_if_hairpin(t));
		TRY(find_or_open_mapping(t));	/* endpoint-independent: RFC 4787 REQ-1 */
	}
	return VERDICT_CONTINUE;
}

/* A packet for the pool, from outside. */
step_inline enum verdict inbound(struct translation *t)
{
	if (t->icmp_error)
		return find_inbound_error(t);
	return find_receiver_mapping(t);
}

/* Nothing is changed unless a step says so. */
step_inline void begin_unchanged(struct translation *t)
{
	t->new_source = t->source;
	t->new_destination = t->destination;
	t->new_source_port = t->source_port;
	t->new_destination_port = t->destination_port;
	t->hairpin = 0;
}

step_inline enum verdict translate_ipv4(struct translation *t)
{
	TRY(parse_network(t));		/* IPv4 header and options */
	TRY(find_owner(t));		/* subscriber's, the pool's, the kernel's? */
	TRY(stop_expired(t));
	TRY(stop_fragment(t));
	TRY(parse_transport(t));	/* ports, identifier, or the quoted packet's */
	begin_unchanged(t);
	if (t->direction == DIRECTION_OUTBOUND)
		TRY(outbound(t));
	else
		TRY(inbound(t));
	return send(t);			/* route, rewrite */
}

/* The pool may be the gateway's own address: what we would drop may be for itself, from whichever side. */
step_inline int is_for_gateway_after_all(const struct translation *t, enum verdict verdict)
{
	if (!t->external || !(t->external->flags & ADDRESS_LOCAL))
		return 0;
	return verdict == VERDICT_UNSOLICITED_QUERY || verdict == VERDICT_UNSUPPORTED_ICMP ||
	       verdict == VERDICT_UNSUPPORTED_PROTOCOL ||
	       verdict == VERDICT_ICMP_ERROR_NO_MAPPING || verdict == VERDICT_ICMP_ERROR_BAD_QUOTE;
}

/* Someone uses addresses that are not theirs: told to the agent, seldom. */
step_inline void report_spoofing(struct translation *t, enum verdict verdict)
{
	struct refusal *what = begin_refusal(t->world);

	if (!what)
		return;
	what->world = t->world;
	what->now = t->now;
	what->type = EVENT_SOURCE_SPOOFED;
	what->verdict = verdict;
	what->ifindex = t->interface_ifindex;
	what->source = t->source;
	report(what);
}

/* One frame. The verdict is its end; the frame is already what it shall be. */
step_inline enum verdict translate(struct translation *t)
{
	enum verdict verdict;
	__be16 protocol;

	t->direction = DIRECTION_OUTBOUND;
	t->external = NULL;
	TRY(parse_link(t, &protocol));
	if (protocol == NETWORK16(ETH_P_ARP))
		return answer_arp(t);
	if (protocol != NETWORK16(ETH_P_IP))
		return VERDICT_NOT_IPV4;
	t->now = now_ticks(t->world);
	verdict = translate_ipv4(t);
	if (is_for_gateway_after_all(t, verdict))
		return VERDICT_TO_GATEWAY;
	if (verdict == VERDICT_NOT_A_SUBSCRIBER || verdict == VERDICT_SOURCE_SPOOFED)
		report_spoofing(t, verdict);
	return verdict;
}

#endif
