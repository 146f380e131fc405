/* rewrite.h - the only file that writes to a frame: addresses, ports, checksums
 * (RFC 1624, never recomputed: a wrong sum stays wrong, ID-11), the ID, TTL, MSS. */
#ifndef APNAT_CORE_REWRITE_H
#define APNAT_CORE_REWRITE_H

#include "icmp.h"

enum {
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_OPTION_MSS_LENGTH = 4,
	TCP_CHECK_END = 18,	/* bytes of a quoted TCP header up to its checksum */
};

step_inline void rewrite_network(struct translation *t)
{
	__u64 changes = change32(t->source, t->new_source) + change32(t->destination, t->new_destination);

	if (t->new_id != t->ip->id || t->new_fragment_field != t->ip->frag_off) {
		changes += change16(t->ip->id, t->new_id) + change16(t->ip->frag_off, t->new_fragment_field);
		t->ip->id = t->new_id;
		t->ip->frag_off = t->new_fragment_field;
	}
	t->ip->saddr = t->new_source;
	t->ip->daddr = t->new_destination;
	t->ip->check = update_check(t->ip->check, changes);
}

/* Where in the options the MSS stands; -1: nowhere. */
step_apart int find_mss(const struct option_bytes *options)
{
	__u32 next = 0;

	if (!options)
		return -1;
	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i + TCP_OPTION_MSS_LENGTH <= sizeof(options->byte); i++) {
		if (i + TCP_OPTION_MSS_LENGTH > options->length)
			return -1;
		if (i < next)
			continue;
		next = i + 1;
		if (options->byte[i] == TCP_OPTION_NOP)
			continue;
		if (options->byte[i] == TCP_OPTION_END || options->byte[i + 1] < 2)
			return -1;
		if (options->byte[i] == TCP_OPTION_MSS && options->byte[i + 1] == TCP_OPTION_MSS_LENGTH)
			return i;
		next = i + options->byte[i + 1];
	}
	return -1;
}

/* RFC 879, TCP-20: only downwards, only on a SYN. An option may start at an odd offset: then its bytes weigh the
 * other way round in the sum. */
step_inline void clamp_mss(struct translation *t, struct tcphdr *tcp)
{
	__u16 clamp = the_options(t->world)->tcp_mss_clamp, mss;
	struct option_bytes options = {};
	__u8 *value;
	int at;

	if (tcp->doff <= 5 ||
	    !read_options(t, (void *)(tcp + 1) - t->data, tcp->doff * 4 - sizeof(*tcp), &options))
		return;
	at = find_mss(&options);
	if (at < 0 || at > (int)sizeof(options.byte) - TCP_OPTION_MSS_LENGTH)
		return;
	value = (__u8 *)(tcp + 1) + at + 2;
	if ((void *)(value + 2) > t->data_end)
		return;
	mss = value[0] << 8 | value[1];
	if (mss <= clamp)
		return;
	if (at & 1)
		tcp->check = update_check(tcp->check, change16(mss, clamp));
	else
		tcp->check = update_check(tcp->check, change16(NETWORK16(mss), NETWORK16(clamp)));
	value[0] = clamp >> 8;
	value[1] = clamp & 0xff;
}

/* parse_transport() has measured each header; the bounds are repeated for the verifier, which cannot tie the
 * protocol to the measure. */
step_inline void rewrite_transport(struct translation *t)
{
	__u64 ports = change16(t->source_port, t->new_source_port) +
		      change16(t->destination_port, t->new_destination_port);
	__u64 changes = ports + change32(t->source, t->new_source) + change32(t->destination, t->new_destination);

	if (t->protocol == IPPROTO_UDP) {
		struct udphdr *udp = t->transport;

		if ((void *)(udp + 1) > t->data_end)
			return;
		udp->source = t->new_source_port;
		udp->dest = t->new_destination_port;
		udp->check = update_udp_check(udp->check, changes);
	} else if (t->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = t->transport;

		if ((void *)(tcp + 1) > t->data_end)
			return;
		tcp->source = t->new_source_port;
		tcp->dest = t->new_destination_port;
		tcp->check = update_check(tcp->check, changes);
		if (the_options(t->world)->tcp_mss_clamp && t->tcp_flags & TCP_FLAG_SYN_BIT)
			clamp_mss(t, tcp);
	} else {
		struct icmphdr *icmp = t->transport;
		__be16 identifier = t->direction == DIRECTION_OUTBOUND ? t->new_source_port : t->new_destination_port;

		if ((void *)(icmp + 1) > t->data_end)
			return;
		icmp->checksum = update_check(icmp->checksum, change16(icmp->un.echo.id, identifier));
		icmp->un.echo.id = identifier;
	}
}

/* The transport header that an ICMP error quotes, as far as it is there. Returns what the change adds to the
 * sum of the error around it. */
step_inline __u64 rewrite_quoted_transport(struct translation *t, __u64 addresses)
{
	__u64 ports = change16(t->source_port, t->new_source_port) +
		      change16(t->destination_port, t->new_destination_port);
	__sum16 old;

	if (t->protocol == IPPROTO_ICMP) {
		struct icmphdr *icmp = t->quoted_transport;
		__be16 id = icmp->un.echo.id;
		__be16 new_id = t->new_source_port != t->source_port ? t->new_source_port : t->new_destination_port;

		old = icmp->checksum;
		icmp->checksum = update_check(old, change16(id, new_id));
		icmp->un.echo.id = new_id;
		return change16(id, new_id) + change16(old, icmp->checksum);
	}
	if (t->protocol == IPPROTO_UDP) {
		struct udphdr *udp = t->quoted_transport;

		old = udp->check;
		udp->source = t->new_source_port;
		udp->dest = t->new_destination_port;
		udp->check = update_udp_check(old, addresses + ports);
		return ports + change16(old, udp->check);
	}
	struct tcphdr *tcp = t->quoted_transport;

	tcp->source = t->new_source_port;
	tcp->dest = t->new_destination_port;
	if (t->quoted_length < TCP_CHECK_END || t->quoted_transport + TCP_CHECK_END > t->data_end)
		return ports;
	old = tcp->check;
	tcp->check = update_check(old, addresses + ports);
	return ports + change16(old, tcp->check);
}

/* RFC 5508 REQ-4a, 5a: the quoted headers as the receiver of the error knows them. The quoted source is the
 * error's destination, the quoted destination the one whose side it comes from. */
step_inline void rewrite_quote(struct translation *t)
{
	struct icmphdr *icmp = t->transport;
	__be32 source = t->new_destination;
	__be32 destination = t->direction == DIRECTION_OUTBOUND ? t->new_source : t->quoted_destination;
	__u64 addresses = change32(t->quoted_source, source) + change32(t->quoted_destination, destination);
	__sum16 old = t->quoted_ip->check;
	__u64 changes = addresses;

	t->quoted_ip->saddr = source;
	t->quoted_ip->daddr = destination;
	t->quoted_ip->check = update_check(old, addresses);
	changes += change16(old, t->quoted_ip->check);
	changes += rewrite_quoted_transport(t, addresses);
	icmp->checksum = update_check(icmp->checksum, changes);
}

step_inline void rewrite(struct translation *t)
{
	rewrite_network(t);
	if (t->icmp_error)
		rewrite_quote(t);
	else
		rewrite_transport(t);
}

/* The gateway is a router (RFC 1812 section 5.3.1). Not done where the kernel finishes the job: it does it. */
step_inline void decrement_ttl(struct translation *t)
{
	__u32 check = t->ip->check;

	check += NETWORK16(0x0100);
	t->ip->check = check + (check >= 0xffff);
	t->ip->ttl--;
}

#endif
