/* feeder.bpf.c - makes the packets of the bench, in the kernel.
 *
 * BPF_PROG_TEST_RUN repeats one frame in one buffer. Here each run first writes
 * the whole frame anew for the next flow, then tail-calls the program under test.
 * The feeder's own cost is measured by tail-calling `nothing` instead.
 *
 * Headers are written in the 32-bit words of the IPv4 header, each word once: a
 * later load of a field inside a word is forwarded from the store buffer, and the
 * program under test does not pay for the feeder's way of writing. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <apnat/tables.h>

#include "feed.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

volatile struct feed_settings settings = {};
volatile __u64 cursor;
volatile struct feed_pace pace = {};
volatile __u64 arrived;
static volatile __u32 imix_position;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TARGET_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct feed_endpoint);
} endpoints SEC(".maps");

/* The gateway's own, handed to us before we are loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENT_RING_BYTES);
} gateway_events SEC(".maps");

/* Where the words of the headers stand: the IPv4 header's at 14, which is 2 mod 4. A word is stored by its offset,
 * since a packed struct would be written in halves. */
enum { AT_SOURCE_MAC = 6, AT_ETHER_TYPE = 12, AT_IP = 14, AT_UDP = 34 };

static __always_inline void put_word(void *frame, int offset, __u32 word)
{
	*(volatile __u32 *)(frame + offset) = word;
}

static __always_inline void put_half(void *frame, int offset, __u16 half)
{
	*(volatile __u16 *)(frame + offset) = half;
}

struct addressing {
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
};

/* A bijection on 0..flow_mask: odd multiplication and folding the upper half down are both reversible. */
static __always_inline __u32 permuted(__u32 n)
{
	__u32 mask = settings.flow_mask, shift = settings.flow_shift & 31;

	n &= mask;
	n = (n * settings.flow_step) & mask;
	n ^= n >> shift;
	n = (n * 0x85ebca6bu) & mask;
	return n ^ n >> shift;
}

static __always_inline __u32 words_sum(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void write_macs(void *frame)
{
	put_word(frame, 0, *(volatile __u32 *)&settings.destination_mac[0]);
	put_half(frame, 4, *(volatile __u16 *)&settings.destination_mac[4]);
	put_word(frame, AT_SOURCE_MAC, *(volatile __u32 *)&settings.source_mac[0]);
	put_half(frame, AT_SOURCE_MAC + 4, *(volatile __u16 *)&settings.source_mac[4]);
	put_half(frame, AT_ETHER_TYPE, bpf_htons(ETH_P_IP));
}

static __always_inline void write_frame(void *frame, const struct addressing *a, __u32 frame_bytes)
{
	__u32 ip_length = bpf_htons(frame_bytes - ETH_HLEN);
	__u32 udp_length = bpf_htons(frame_bytes - ETH_HLEN - 20);
	__u32 ports = a->source_port | (__u32)a->destination_port << 16;
	__u32 addresses = words_sum(a->source) + words_sum(a->destination);
	__u32 version = 0x0045 | ip_length << 16;
	__u32 fragment_field = settings.fragment_field;
	__u32 lifetime = 64 | IPPROTO_UDP << 8;
	__u32 ip_check = folded(words_sum(version) + fragment_field + lifetime + addresses);
	__u32 udp_check = folded(addresses + words_sum(ports) + bpf_htons(IPPROTO_UDP) + 2 * udp_length);

	write_macs(frame);
	put_word(frame, AT_IP, version);
	put_word(frame, AT_IP + 4, fragment_field << 16);
	put_word(frame, AT_IP + 8, lifetime | ip_check << 16);
	put_word(frame, AT_IP + 12, a->source);
	put_word(frame, AT_IP + 16, a->destination);
	put_word(frame, AT_UDP, ports);
	put_word(frame, AT_UDP + 4, udp_length | (udp_check ? udp_check : 0xffff) << 16);
}

/* The next flow's packet, as its subscriber sends it. */
static __always_inline struct addressing next_outbound(void)
{
	__u32 flow = permuted(cursor++);
	__u32 subscriber = flow & settings.subscriber_mask;
	__u32 port = (flow >> (settings.subscriber_bits & 31)) + subscriber * SUBSCRIBER_PORT_STEP;

	return (struct addressing){
		.source = bpf_htonl(settings.first_address_host + subscriber),
		.destination = bpf_htonl(settings.remote_address_host + (flow * 0x85ebca6bu >> 12 & settings.remote_mask)),
		.source_port = bpf_htons(FIRST_PORT + (port & (FLOW_PORTS - 1))),
		.destination_port = settings.remote_port,
	};
}

static __always_inline void *headers(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return data + HEADERS_BYTES <= end ? data : 0;
}

SEC("xdp.frags")
int feed_outbound(struct xdp_md *ctx)
{
	void *frame = headers(ctx);
	struct addressing a = next_outbound();

	if (!frame)
		return XDP_ABORTED;
	write_frame(frame, &a, settings.frame_bytes);
	bpf_tail_call(ctx, &targets, settings.target);
	return XDP_ABORTED;
}

/* Replies. `endpoints` holds the external endpoints already shuffled and is read in order: the processor prefetches
 * it, so that this feeder too has no cache misses to speak of. */
SEC("xdp.frags")
int feed_inbound(struct xdp_md *ctx)
{
	void *frame = headers(ctx);
	__u32 index = cursor++ & settings.flow_mask;
	const struct feed_endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &index);

	if (!frame || !endpoint)
		return XDP_ABORTED;
	struct addressing a = {
		.source = bpf_htonl(settings.remote_address_host),
		.destination = endpoint->address,
		.source_port = settings.remote_port,
		.destination_port = endpoint->port,
	};
	write_frame(frame, &a, settings.frame_bytes);
	bpf_tail_call(ctx, &targets, settings.target);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int nothing(struct xdp_md *ctx)
{
	return ctx->data ? XDP_DROP : XDP_ABORTED;
}

static __always_inline int send_next(struct xdp_md *ctx)
{
	void *frame = headers(ctx);
	struct addressing a = next_outbound();

	if (!frame)
		return XDP_ABORTED;
	write_frame(frame, &a, settings.frame_bytes);
	return bpf_redirect(settings.device, 0);
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	return send_next(ctx);
}

/* May the next connection be opened now? */
static __always_inline int is_due(void)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 waiting = pace.most_waiting ? bpf_ringbuf_query(&gateway_events, BPF_RB_AVAIL_DATA) : 0;

	if (cursor >= pace.end) {
		if (!waiting && !pace.emptied_ns)
			pace.emptied_ns = now;
		return 0;
	}
	if (!pace.started_ns)
		pace.started_ns = now;
	if (pace.was_full && waiting < pace.least_waiting)
		pace.least_waiting = waiting;
	if (pace.most_waiting && waiting > pace.most_waiting) {
		pace.was_full = 1;
		return 0;
	}
	if ((now - pace.started_ns) * 1000 < (cursor - pace.first) * pace.picoseconds)
		return 0;
	pace.finished_ns = now;
	return 1;
}

/* New connections at a pace. A test run cannot wait: what comes too early is not sent. */
SEC("xdp")
int generate_paced(struct xdp_md *ctx)
{
	return is_due() ? send_next(ctx) : XDP_DROP;
}

static __always_inline __u32 next_imix_bytes(void)
{
	__u32 position = imix_position;

	imix_position = position + 1 < IMIX_PERIOD ? position + 1 : 0;
	if (position == 5)
		return LARGE_FRAME_BYTES;
	return position % 3 == 1 ? MIDDLE_FRAME_BYTES : SMALL_FRAME_BYTES;
}

/* Starts from the largest frame and cuts it: a test run has one length. */
SEC("xdp")
int generate_imix(struct xdp_md *ctx)
{
	__u32 bytes = next_imix_bytes();
	struct addressing a = next_outbound();
	void *frame;

	if (bpf_xdp_adjust_tail(ctx, (int)bytes - LARGE_FRAME_BYTES))
		return XDP_ABORTED;
	frame = headers(ctx);
	if (!frame)
		return XDP_ABORTED;
	write_frame(frame, &a, bytes);
	return bpf_redirect(settings.device, 0);
}

/* Two large frames are one UDP datagram of 2,960 bytes, without a checksum: its payload is what the last user of the
 * page left. Each datagram has another ID, so that none waits for another's fragments. */
SEC("xdp")
int generate_fragments(struct xdp_md *ctx)
{
	__u32 second = cursor & 1, id = (cursor >> 1) & 0xffff;
	struct addressing a = {
		.source = bpf_htonl(settings.first_address_host + (id & settings.subscriber_mask)),
		.destination = bpf_htonl(settings.remote_address_host),
		.source_port = bpf_htons(FIRST_PORT),
		.destination_port = settings.remote_port,
	};
	__u32 field = second ? bpf_htons(FRAGMENT_PAYLOAD_BYTES / 8) : bpf_htons(0x2000);
	void *frame = headers(ctx);

	cursor++;
	if (!frame)
		return XDP_ABORTED;
	settings.fragment_field = field;
	write_frame(frame, &a, LARGE_FRAME_BYTES);
	put_half(frame, AT_IP + 4, id);
	put_half(frame, AT_IP + 10, folded((~*(volatile __u16 *)(frame + AT_IP + 10) & 0xffff) + id));
	put_word(frame, AT_UDP + 4, bpf_htons(2 * FRAGMENT_PAYLOAD_BYTES));
	return bpf_redirect(settings.device, 0);
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	arrived++;
	return ctx->data ? XDP_DROP : XDP_ABORTED;
}
