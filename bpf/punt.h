/* punt.h - frames for the agent's slow path, through AF_XDP: which socket, and who may put how much into it. The slow
 * path is slower than a link, so its rings fill; as one does, each source gets less of it, until only subscribers that
 * have had next to nothing do (SEC-19). Until then nobody is held back. */
#ifndef APNAT_PUNT_H
#define APNAT_PUNT_H

#include "core/translate.h"
#include "platform_bpf.h"

/* A power of two less one, so that an index can be masked: the verifier of 6.1 loses a bound that was compared in
 * another register. */
enum { VERDICTS_MASK = 63 };
_Static_assert(VERDICT_COUNT <= VERDICTS_MASK + 1, "a table by verdict has room for every one");

enum {
	PUNT_SOURCES = 4096,		/* two that share a row share what it may punt */
	PUNT_SLICE_SHIFT = 22,		/* ns >> PUNT_SLICE_SHIFT = slices of 4.2 ms */
	PUNT_QUARTERS = 4,
	PUNT_LEAST_SHARE = 4,		/* of a slice, whatever the others do: two datagrams in two fragments */
	XSK_BUFFER_BYTES = 3840,	/* of a frame in one of the socket's buffers */
};

/* What a source has sent here, whether there was room for it or not: of this slice, half of the one before, a quarter
 * of the one before that. Whoever floods stays above its share until it stops. */
struct punt_source {
	__u32 slice;
	__u32 buffers;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PUNT_SOURCES);
	__type(key, __u32);
	__type(value, struct punt_source);
} punt_sources SEC(".maps");

/* Buffers that a source may have sent, with so many quarters of the ring full. */
step_inline __u32 punt_share(__u32 quarters_full, __u32 room, int is_subscriber)
{
	if (quarters_full == 0)
		return ~0u;
	if (quarters_full == 1)
		return room / 16;
	if (quarters_full == 2)
		return room / 64;
	return is_subscriber ? PUNT_LEAST_SHARE : 0;
}

step_inline struct punt_source *find_punt_source(__be32 address)
{
	__u32 index = ((__u64)address ^ options.secret[1]) * (options.secret[3] | 1) >> 52;

	return bpf_map_lookup_elem(&punt_sources, &index);
}

/* May `source` put so many buffers into the socket's ring now? Then they are counted as there. A subscriber is one
 * source, whatever the length of its prefix. */
step_apart int may_punt(__u32 socket, __be32 source, __u32 buffers, int is_subscriber)
{
	struct xsk_backlog *backlog = bpf_map_lookup_elem(&xsk_backlogs, &socket);
	__u32 slice = bpf_ktime_get_ns() >> PUNT_SLICE_SHIFT, reference;
	struct punt_source *own;
	__s32 waiting;

	if (is_subscriber)
		find_subscriber_of(NULL, source, &reference, &source);
	own = find_punt_source(source);
	if (!backlog || !own)
		return 0;
	own->buffers = slice - own->slice < 32 ? own->buffers >> (slice - own->slice) : 0;
	own->buffers += buffers;
	own->slice = slice;
	waiting = backlog->punted - backlog->taken;
	if (waiting < 0)
		waiting = 0;
	if (own->buffers > punt_share(waiting * PUNT_QUARTERS / (backlog->room | 1), backlog->room, is_subscriber))
		return 0;
	__sync_fetch_and_add(&backlog->punted, buffers);
	return 1;
}

/* The bytes in the frame's first buffer. */
step_inline __u64 first_buffer(struct xdp_md *ctx)
{
	__u64 bytes = (void *)(long)ctx->data_end - (void *)(long)ctx->data;

	keep_order(bytes); /* or the compiler computes with half a pointer */
	return bytes;
}

step_inline int has_several_buffers(struct xdp_md *ctx)
{
	return bpf_xdp_get_buff_len(ctx) > first_buffer(ctx);
}

/* To the agent's socket of the device and queue the frame came in by. */
step_inline int punt(struct translation *t, struct xdp_md *ctx, enum verdict *verdict)
{
	const struct interface *device = find_interface(NULL, ctx->ingress_ifindex);
	__u32 queue = ctx->rx_queue_index, socket;

	if (!options.punt_several_buffers && has_several_buffers(ctx)) {
		*verdict = VERDICT_SLOW_PATH_TOO_LARGE;
		return XDP_DROP;
	}
	socket = device ? device->first_xsk_socket + queue : 0;
	if (!device || queue >= device->xsk_sockets ||
	    bpf_redirect_map(&xsk_sockets, socket, XDP_DROP) != XDP_REDIRECT) {
		*verdict = VERDICT_SLOW_PATH_AWAY;
		return XDP_DROP;
	}
	if (!may_punt(socket, t->source,
		      1 + bpf_xdp_get_buff_len(ctx) / XSK_BUFFER_BYTES, t->direction == DIRECTION_OUTBOUND)) {
		*verdict = VERDICT_SLOW_PATH_BUSY;
		return XDP_DROP;
	}
	return XDP_REDIRECT;
}

/* How many refused frames each processor hands on within a tick: enough for every sender that means well to be told,
 * too few to keep the slow path from its fragments. Those that are too big have a count of their own: who is told
 * nothing of these sends them in vain for ever (RFC 2923), who is told nothing of a quota only waits. */
enum { REFUSALS_TOLD_A_TICK = 16, REFUSAL_COUNTS = 2 };

/* Which count a verdict has; looked up, because the verifier follows each value that is compared. */
static const __u8 refusal_count[VERDICTS_MASK + 1] = {
#define VERDICT(name, fate, icmp, sentence) [VERDICT_##name] = ICMP_ANSWER_##icmp == ICMP_ANSWER_PACKET_TOO_BIG,
#include <apnat/verdicts.def>
#undef VERDICT
};

struct refusals_told {
	__u32 tick;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REFUSAL_COUNTS);
	__type(key, __u32);
	__type(value, struct refusals_told);
} refusals_told SEC(".maps");

step_inline int may_tell_refusal(__u32 now, enum verdict verdict)
{
	__u32 index = refusal_count[verdict & VERDICTS_MASK];
	struct refusals_told *told = bpf_map_lookup_elem(&refusals_told, &index);

	if (!told)
		return 0;
	if (told->tick != now) {
		told->tick = now;
		told->count = 0;
	}
	return told->count++ < REFUSALS_TOLD_A_TICK;
}

/* The packet has ended; its frame may still tell the agent what to answer. What a kernel before 6.6 cannot pass on whole
 * it passes on cut short: an answer quotes no more than 548 bytes. */
step_inline int refuse(struct translation *t, struct xdp_md *ctx, enum verdict verdict)
{
	enum verdict ignored = verdict;

	if (!may_tell_refusal(t->now, verdict))
		return XDP_DROP;
	if (!options.punt_several_buffers && has_several_buffers(ctx) &&
	    bpf_xdp_adjust_tail(ctx, (int)first_buffer(ctx) - (int)bpf_xdp_get_buff_len(ctx)))
		return XDP_DROP;
	return punt(t, ctx, &ignored);
}

#endif
