/* nat.bpf.c - the data plane: one frame in, one verdict out. core/translate.h is
 * the story; this file only opens and closes the book. */
#include "platform_bpf.h"

#include "core/translate.h"
#include "exits.h"

SEC("xdp.frags")
int apnat(struct xdp_md *ctx)
{
	struct world world = { .ctx = ctx };
	struct translation t;

	t.world = &world;
	t.data = (void *)(long)ctx->data;
	t.data_end = (void *)(long)ctx->data_end;
	t.ingress_ifindex = options.slow_path ? asked_ifindex() : ctx->ingress_ifindex;
	return leave(&t, ctx, translate(&t));
}

char _license[] SEC("license") = "Dual BSD/GPL";
