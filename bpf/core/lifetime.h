/* lifetime.h - how long a mapping lives, kept in the mapping's own 16 bytes.
 * Outbound packets refresh (RFC 4787 REQ-6); inbound ones don't (REQ-6a, SEC-24),
 * nor do ICMP errors (RFC 5508 REQ-6) or RSTs (RFC 7857 section 7.1).
 *
 * The TCP state is the mapping's, not a session's: one internal endpoint may
 * hold sessions with several remotes, and no per-flow state is kept. Once it
 * has opened a second one, an end of one session no longer shortens the
 * mapping's life (RFC 5382 REQ-5 holds for the others). */
#ifndef APNAT_CORE_LIFETIME_H
#define APNAT_CORE_LIFETIME_H

#include "slot_hash.h"

step_inline __u32 tcp_state_of(__u32 state)
{
	return state & STATE_TCP;
}

step_inline __u32 with_tcp_state(__u32 state, __u32 tcp)
{
	return (state & ~(__u32)STATE_TCP) | tcp;
}

step_inline __u32 lifetime_ticks(const volatile struct options *options, __u8 protocol, __u32 state)
{
	__u32 tcp = tcp_state_of(state);

	if (protocol == IPPROTO_UDP)
		return options->udp_ticks;
	if (protocol != IPPROTO_TCP)
		return options->icmp_ticks;
	if (state & STATE_SEVERAL_SESSIONS)
		return options->tcp_established_ticks;
	if (tcp == TCP_INIT || tcp == TCP_BOTH_FIN || tcp == TCP_TRANS || tcp == TCP_NONE)
		return options->tcp_transitory_ticks;
	return options->tcp_established_ticks;
}

/* `grace`: ticks it must have been over; 0 asks whether it lives. */
step_inline int is_expired(const volatile struct options *options, const struct mapping *mapping, __u32 now, __u32 grace)
{
	__u32 lifetime = lifetime_ticks(options, mapping->protocol, mapping->state);

	return !(mapping->marks & MARK_STATIC) && (__s32)(now - mapping->last_seen) > (__s32)(lifetime + grace);
}

/* 16 bits that tell one remote endpoint from another, well enough. */
step_inline __u32 remote_tag(__be32 address, __be16 port)
{
	__u32 tag = (address ^ (__u32)port << 8) * 0x9e3779b1;

	return tag >> 16;
}

/* A segment of the first session? Nobody else's may shorten its life or prolong it: filtering is endpoint-independent,
 * so whoever scans the port gets a segment in, and a RST out (TCP-9, SEC-24). */
step_inline int is_first_session(__u32 state, __u32 remote)
{
	return state >> STATE_REMOTE_SHIFT == remote;
}

/* RFC 7857 section 2, seen from inside. */
step_inline __u32 next_state_outbound(__u32 state, __u8 flags, __u32 remote)
{
	__u32 tcp = tcp_state_of(state);
	int is_first = is_first_session(state, remote);

	if (flags & TCP_FLAG_RST_BIT)
		return is_first ? with_tcp_state(state, TCP_TRANS) : state;
	if (flags & TCP_FLAG_SYN_BIT) {
		if (tcp == TCP_NONE || tcp == TCP_BOTH_FIN || tcp == TCP_TRANS)
			return (state & STATE_SEVERAL_SESSIONS) | (state & STATE_RUNTIME_FORWARD) | TCP_INIT |
			       remote << STATE_REMOTE_SHIFT;
		return is_first ? state : state | STATE_SEVERAL_SESSIONS;
	}
	if (!is_first)
		return state;
	if (!(flags & TCP_FLAG_FIN_BIT))
		return tcp == TCP_TRANS ? with_tcp_state(state, TCP_ESTABLISHED) : state;
	if (tcp == TCP_ESTABLISHED)
		return with_tcp_state(state, TCP_CLIENT_FIN);
	return tcp == TCP_SERVER_FIN ? with_tcp_state(state, TCP_BOTH_FIN) : state;
}

/* The same, seen from outside. A SYN does not re-open or reset what lives (SEC-15). */
step_inline __u32 next_state_inbound(__u32 state, __u8 flags, __u32 remote)
{
	__u32 tcp = tcp_state_of(state);

	if (!is_first_session(state, remote))
		return state;
	if (flags & TCP_FLAG_RST_BIT)
		return with_tcp_state(state, TCP_TRANS);
	if (flags & TCP_FLAG_SYN_BIT)
		return tcp == TCP_INIT ? with_tcp_state(state, TCP_ESTABLISHED) : state;
	if (!(flags & TCP_FLAG_FIN_BIT))
		return tcp == TCP_TRANS ? with_tcp_state(state, TCP_ESTABLISHED) : state;
	if (tcp == TCP_ESTABLISHED)
		return with_tcp_state(state, TCP_SERVER_FIN);
	return tcp == TCP_CLIENT_FIN ? with_tcp_state(state, TCP_BOTH_FIN) : state;
}

/* Can this segment change anything? Most only carry data, and are spared the call. */
step_inline int may_move(const struct mapping *mapping, __u8 flags)
{
	return flags & (TCP_FLAG_RST_BIT | TCP_FLAG_SYN_BIT | TCP_FLAG_FIN_BIT) ||
	       tcp_state_of(mapping->state) == TCP_TRANS;
}

/* Written only when it changes: a line that is only read stays in every cache. The four minutes after a RST
 * count from the RST (RFC 7857 section 2.2). */
step_inline void set_state(struct mapping *mapping, __u32 state, __u32 now)
{
	if (mapping->state == state)
		return;
	if (tcp_state_of(state) == TCP_TRANS)
		mapping->last_seen = now;
	mapping->state = state;
}

step_apart int move_outbound(struct mapping *mapping, __u8 flags, __u32 remote, __u32 now)
{
	if (mapping)
		set_state(mapping, next_state_outbound(mapping->state, flags, remote), now);
	return 0;
}

step_apart int move_inbound(struct mapping *mapping, __u8 flags, __u32 remote, __u32 now)
{
	if (mapping)
		set_state(mapping, next_state_inbound(mapping->state, flags, remote), now);
	return 0;
}

step_inline void refresh_outbound(const struct translation *t, struct mapping *mapping)
{
	if (t->protocol == IPPROTO_TCP) {
		if (may_move(mapping, t->tcp_flags))
			move_outbound(mapping, t->tcp_flags, remote_tag(t->destination, t->destination_port), t->now);
		if (t->tcp_flags & TCP_FLAG_RST_BIT)
			return;
	}
	if (mapping->last_seen != t->now)
		mapping->last_seen = t->now;
}

/* Turned round, the sender's external endpoint, which the receiver knows it by, is not known yet: it is believed. */
step_inline __u32 remote_of_sender(const struct translation *t, const struct mapping *receiver)
{
	return t->hairpin ? receiver->state >> STATE_REMOTE_SHIFT : remote_tag(t->source, t->source_port);
}

step_inline void refresh_inbound(const struct translation *t, struct mapping *mapping)
{
	if (t->protocol == IPPROTO_TCP && may_move(mapping, t->tcp_flags))
		move_inbound(mapping, t->tcp_flags, remote_of_sender(t, mapping), t->now);
}

#endif
