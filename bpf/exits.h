/* exits.h - what a verdict costs: it is counted, once, and the frame leaves,
 * goes up to the kernel, turns round, or is dropped. This file and
 * punt.h are the only ones that know XDP's actions. */
#ifndef APNAT_EXITS_H
#define APNAT_EXITS_H

#include "core/translate.h"
#include "platform_bpf.h"
#include "punt.h"

/* One for the program on the wire, one for the slow path's copy: on 6.1 a test run may be interrupted by a frame. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_room SEC(".maps");

static inline struct scratch *find_scratch(struct world *world)
{
	__u32 index = options.slow_path ? 1 : 0;

	(void)world;
	return bpf_map_lookup_elem(&scratch_room, &index);
}

static const __u8 fates[VERDICTS_MASK + 1] = {
	[VERDICT_CONTINUE] = FATE_DROP,
	[VERDICT_COUNT ... VERDICTS_MASK] = FATE_DROP,
#define VERDICT(name, fate, icmp, sentence) [VERDICT_##name] = FATE_##fate,
#include <apnat/verdicts.def>
#undef VERDICT
};

step_inline void count_verdict(enum verdict verdict)
{
	__u32 index = verdict;
	__u64 *count = options.slow_path ? bpf_map_lookup_elem(&slow_path_counters, &index) :
					   bpf_map_lookup_elem(&verdict_counters, &index);

	if (count)
		*count += 1;
}

/* The tags the way out wants, in place of those the frame came with. After this every pointer into the frame is stale. */
step_inline int fit_tags(struct translation *t, struct xdp_md *ctx, const struct interface *egress)
{
	int more = (int)egress->vlan_depth - (int)t->tags;

	if (!more)
		return 1;
	if (bpf_xdp_adjust_head(ctx, -more * (int)sizeof(struct vlan_tag)))
		return 0;
	t->data = (void *)(long)ctx->data;
	t->data_end = (void *)(long)ctx->data_end;
	return 1;
}

step_inline int write_link_header(struct translation *t, const struct interface *egress)
{
	struct link_header *ethernet = t->data;
	struct vlan_tag *tag = (void *)(ethernet + 1);

	if ((void *)(ethernet + 1) > t->data_end)
		return 0;
	copy_mac(ethernet->destination, t->route.destination_mac);
	copy_mac(ethernet->source, t->route.source_mac);
	if (!the_options(t->world)->vlans)
		return 1;
	ethernet->protocol = egress->vlan_depth ? egress->vlan_protocol[0] : NETWORK16(ETH_P_IP);
	if (!egress->vlan_depth)
		return 1;
	if ((void *)(tag + 1) > t->data_end)
		return 0;
	tag->id_and_priority = egress->vlan_id[0];
	tag->protocol = egress->vlan_depth > 1 ? egress->vlan_protocol[1] : NETWORK16(ETH_P_IP);
	if (egress->vlan_depth < 2)
		return 1;
	tag++;
	if ((void *)(tag + 1) > t->data_end)
		return 0;
	tag->id_and_priority = egress->vlan_id[1];
	tag->protocol = NETWORK16(ETH_P_IP);
	return 1;
}

step_inline int address_to(struct translation *t, struct xdp_md *ctx, const struct interface *egress)
{
	return (!the_options(t->world)->vlans || fit_tags(t, ctx, egress)) && write_link_header(t, egress);
}

/* Out of the interface the route named. */
step_inline int forward(struct translation *t, struct xdp_md *ctx, enum verdict *verdict)
{
	const struct interface *egress = find_interface(t->world, t->route.egress_ifindex);
	int action;

	if (!egress) {
		*verdict = VERDICT_TABLE_MISSING;
		return XDP_DROP;
	}
	if (!address_to(t, ctx, egress)) {
		*verdict = VERDICT_REWRITE_FAILED;
		return XDP_DROP;
	}
	action = bpf_redirect_map(&tx_ports, egress->redirect_ifindex, XDP_DROP);
	if (action != XDP_REDIRECT)
		*verdict = VERDICT_TABLE_MISSING;
	return action;
}

step_inline int leave(struct translation *t, struct xdp_md *ctx, enum verdict verdict)
{
	int action = XDP_DROP;
	__u32 index = verdict;

	keep_order(index);
	switch (fates[index & VERDICTS_MASK]) {
	case FATE_FORWARD:
		action = forward(t, ctx, &verdict);
		break;
	case FATE_PASS:
		action = XDP_PASS;
		break;
	case FATE_ANSWER:
		action = XDP_TX;
		break;
	case FATE_PUNT:
		action = punt(t, ctx, &verdict);
		break;
	case FATE_REFUSE:
		action = refuse(t, ctx, verdict);
		break;
	default:
		break;
	}
	count_verdict(verdict);
	return action;
}

#endif
