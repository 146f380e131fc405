/* xdp_forward.bpf.c - the yardsticks. xdp_forward is what forwarding alone costs in
 * XDP: one IPv4 look-up in the kernel's FIB, TTL, MAC addresses, redirect. The other two
 * also look up the packet's flow once, in an array or in a hash, and do nothing with
 * it: the floor of any translator that keeps its state there, on this machine. None of
 * them translates. */
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

enum { FLOW_ROWS = 1 << 21, HASH_FLOWS = 1 << 22 };

/* 128 MiB: a row is a cache line, as the line of a mapping table that one mapping is in. */
struct row {
	__u64 key;
	__u64 unused[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_ROWS);
	__type(key, __u32);
	__type(value, struct row);
} flow_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HASH_FLOWS);
	__type(key, __u64);
	__type(value, __u64);
} flow_hash SEC(".maps");

static __always_inline int forward(struct xdp_md *ctx)
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

/* Source address and port; 0: too short a frame. */
static __always_inline __u64 flow_key(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	__be16 *source_port = (void *)(ip + 1);

	if ((void *)(source_port + 1) > end)
		return 0;
	return (__u64)ip->saddr << 16 | *source_port;
}

SEC("xdp.frags")
int xdp_forward(struct xdp_md *ctx)
{
	return forward(ctx);
}

SEC("xdp.frags")
int xdp_array(struct xdp_md *ctx)
{
	__u64 key = flow_key(ctx);
	__u32 index = (key * 0x9e3779b97f4a7c15ULL) >> 43;
	struct row *row = bpf_map_lookup_elem(&flow_rows, &index);

	if (!row)
		return XDP_ABORTED;
	if (row->key != key)
		row->key = key;
	return forward(ctx);
}

SEC("xdp.frags")
int xdp_hash(struct xdp_md *ctx)
{
	__u64 key = flow_key(ctx), value = 1;

	if (!bpf_map_lookup_elem(&flow_hash, &key) && bpf_map_update_elem(&flow_hash, &key, &value, BPF_NOEXIST))
		return XDP_ABORTED;
	return forward(ctx);
}
