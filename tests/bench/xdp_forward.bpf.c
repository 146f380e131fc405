/* xdp_forward.bpf.c - the yardstick: what forwarding alone costs in XDP. One IPv4
 * look-up in the kernel's FIB, TTL, MAC addresses, redirect. Nothing is translated. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { FAMILY_IPV4 = 2 };

static __always_inline void age(struct iphdr *ip)
{
	__u32 check = ip->check + bpf_htons(0x0100);

	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

static __always_inline long find_way_out(struct xdp_md *ctx, const struct iphdr *ip, struct bpf_fib_lookup *way)
{
	__builtin_memset(way, 0, sizeof(*way));
	way->family = FAMILY_IPV4;
	way->tos = ip->tos;
	way->l4_protocol = ip->protocol;
	way->tot_len = bpf_ntohs(ip->tot_len);
	way->ipv4_src = ip->saddr;
	way->ipv4_dst = ip->daddr;
	way->ifindex = ctx->ingress_ifindex;
	return bpf_fib_lookup(ctx, way, sizeof(*way), 0);
}

SEC("xdp.frags")
int xdp_forward(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct bpf_fib_lookup way;

	if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ttl <= 1)
		return XDP_PASS;
	if (find_way_out(ctx, ip, &way) != BPF_FIB_LKUP_RET_SUCCESS)
		return XDP_PASS;
	age(ip);
	__builtin_memcpy(ethernet->h_dest, way.dmac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, way.smac, ETH_ALEN);
	return bpf_redirect(way.ifindex, 0);
}
