/* nat.bpf.c - the data plane: one frame in, one verdict out. core/translate.h is
 * the story; this file only opens and closes the book, once for what comes in by
 * the interfaces and once for what the slow path has put together. */
#include "platform_bpf.h"

#include "core/translate.h"
#include "exits.h"
#include "slow_path.h"

SEC("xdp.frags")
int apnat(struct xdp_md *ctx)
{
	struct world world = { .ctx = ctx };
	struct translation t;

	t.world = &world;
	t.data = (void *)(long)ctx->data;
	t.data_end = (void *)(long)ctx->data_end;
	t.ingress_ifindex = ctx->ingress_ifindex;
	return leave(&t, ctx, translate(&t));
}

/* Goes round once for each datagram. Loaded in place of the other where options.slow_path is set. */
SEC("?xdp.frags")
int apnat_slow_path(struct xdp_md *ctx)
{
	struct world world = { .ctx = ctx };
	struct translation t;

	if (!take_datagram(ctx, &t.ingress_ifindex))
		return RUN_ENDED;
	t.world = &world;
	t.data = (void *)(long)ctx->data;
	t.data_end = (void *)(long)ctx->data_end;
	if (hand_back(&t, ctx, translate(&t)))
		bpf_tail_call_static(ctx, &slow_path_again, 0);
	return RUN_ENDED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
