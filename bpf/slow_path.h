/* slow_path.h - what the slow path's copy of the program does in place of receiving and sending: datagrams lie in a
 * table, are translated there one after the other, and stay there for the agent. */
#ifndef APNAT_SLOW_PATH_H
#define APNAT_SLOW_PATH_H

#include "exits.h"

/* Holds this very program, one for each copy that is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} slow_path_again SEC(".maps");

/* What a test run answers is nothing to anybody. */
enum { RUN_ENDED = XDP_DROP };

step_inline struct slow_path_batch *find_batch(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&slow_path_batch, &index);
}

/* The first that is not answered yet. */
step_inline struct slow_path_datagram *find_datagram(const struct slow_path_batch *batch)
{
	__u32 index = batch->answered;

	return bpf_map_lookup_elem(&slow_path_datagrams, &index);
}

/* Its head into the run's buffer, as a frame that came in. The one before may have left with more tags, or fewer. */
step_inline int take_datagram(struct xdp_md *ctx, __u32 *ingress_ifindex)
{
	const struct slow_path_batch *batch = find_batch();
	struct slow_path_datagram *datagram = batch ? find_datagram(batch) : NULL;
	int more = (int)first_buffer(ctx) - SLOW_PATH_HEAD;

	if (!datagram || (more && bpf_xdp_adjust_head(ctx, more)))
		return 0;
	*ingress_ifindex = datagram->ingress_ifindex;
	return !bpf_xdp_store_bytes(ctx, 0, datagram->head, SLOW_PATH_HEAD);
}

/* What became of its head, out of there again. The verifier of 6.1 keeps a bound only on the register it was seen on. */
step_inline int copy_head(struct slow_path_datagram *datagram, struct xdp_md *ctx)
{
	__u64 last = first_buffer(ctx) - 1;

	keep_order(last);
	if (last >= sizeof(datagram->head))
		return 0;
	datagram->head_length = last + 1;
	return !bpf_xdp_load_bytes(ctx, 0, datagram->head, last + 1);
}

/* Where it is to be sent, and the link header for that. */
step_inline int name_way_out(struct translation *t, struct xdp_md *ctx, struct slow_path_datagram *datagram)
{
	const struct interface *egress = find_interface(t->world, t->route.egress_ifindex);

	if (!egress || !address_to(t, ctx, egress))
		return 0;
	datagram->device_ifindex = egress->redirect_ifindex;
	datagram->network_offset = sizeof(struct link_header) + egress->vlan_depth * sizeof(struct vlan_tag);
	return 1;
}

/* What is to be done with the datagram. Returns whether another one waits. */
step_inline int hand_back(struct translation *t, struct xdp_md *ctx, enum verdict verdict)
{
	struct slow_path_batch *batch = find_batch();
	struct slow_path_datagram *datagram = batch ? find_datagram(batch) : NULL;

	if (!datagram)
		return 0;
	datagram->egress_ifindex = datagram->device_ifindex = datagram->mtu = 0;
	datagram->network_offset = t->network_offset;
	datagram->interface_ifindex = t->interface_ifindex;
	datagram->outbound = t->direction == DIRECTION_OUTBOUND;
	datagram->hairpin = t->hairpin;
	if (is_forwarded(verdict) || is_finished_by_kernel(verdict)) {
		datagram->egress_ifindex = t->route.egress_ifindex;
		datagram->mtu = t->route.mtu;
		if ((is_forwarded(verdict) && !name_way_out(t, ctx, datagram)) || !copy_head(datagram, ctx))
			verdict = VERDICT_REWRITE_FAILED;
	}
	datagram->verdict = verdict;
	count_verdict(verdict);
	return ++batch->answered < batch->asked;
}

#endif
