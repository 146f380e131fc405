/* parse.h - a frame becomes a struct translation: link, network, transport.
 * Every header is measured before it is read; what does not measure up ends
 * here with the reason (SEC-25). Only the first buffer of a frame is read:
 * headers that lie in a later one count as truncated. */
#ifndef APNAT_CORE_PARSE_H
#define APNAT_CORE_PARSE_H

#include "checksum.h"

struct vlan_tag {
	__be16 id_and_priority;
	__be16 protocol;
};

enum {
	NETWORK_OFFSET_MASK = 31,	/* 14, 18 or 22; the mask lets the verifier see the bound */
	IP_MORE_FRAGMENTS = 0x2000,
	IP_OFFSET_MASK = 0x1fff,
	IP_DONT_FRAGMENT = 0x4000,
	VLAN_ID_MASK = 0x0fff,
	IPV4_OPTION_END = 0,
	IPV4_OPTION_NOP = 1,
	IPV4_OPTION_LOOSE_ROUTE = 131,
	IPV4_OPTION_STRICT_ROUTE = 137,
};

#define NETWORK16(x) __builtin_bswap16(x)
#define NETWORK32(x) __builtin_bswap32(x)

/* ID 0 names no VLAN: the tag is there for its priority (IEEE 802.1Q section 9.6), and the kernel takes it off. */
step_inline int is_priority_tag(__be16 tag)
{
	return !(tag & NETWORK16(VLAN_ID_MASK));
}

/* The sub-interface that carries the tag's VLAN over `below`, which is `ifindex`; 0: none. */
step_inline __u32 find_sub_interface(struct world *world, const struct interface *below, __u32 ifindex, __be16 tag)
{
	const struct vlan_member *member;

	if (is_priority_tag(tag))
		return ifindex;
	if (!below || !below->vlan_table_plus_one)
		return 0;
	member = find_vlan_member(world, (below->vlan_table_plus_one - 1u) * VLANS_PER_TABLE +
						 (NETWORK16(tag) & VLAN_ID_MASK));
	return member ? member->ifindex : 0;
}

step_inline int is_vlan_protocol(__be16 protocol)
{
	return protocol == NETWORK16(ETH_P_8021Q) || protocol == NETWORK16(ETH_P_8021AD);
}

step_inline int is_served(const struct interface *interface)
{
	return interface && interface->flags & (INTERFACE_INTERNAL | INTERFACE_EXTERNAL);
}

/* Without VLANs in the configuration no tag is looked behind. The kernel would take a priority tag off and forward what
 * is under it, untranslated; what is in a VLAN goes where the operator has sent that. */
step_inline enum verdict refuse_tag(const struct interface *interface, const struct vlan_tag *tag)
{
	if (!is_served(interface) || !is_priority_tag(tag->id_and_priority))
		return VERDICT_UNKNOWN_INTERFACE;
	return tag->protocol == NETWORK16(ETH_P_IP) || is_vlan_protocol(tag->protocol) ? VERDICT_UNEXPECTED_TAG :
											  VERDICT_NOT_IPV4;
}

/* Ethernet and up to two VLAN tags; which (sub-)interface the frame belongs to. */
step_inline enum verdict parse_link(struct translation *t, __be16 *protocol)
{
	struct link_header *ethernet = t->data;
	const struct interface *interface = find_interface(t->world, t->ingress_ifindex);
	__u32 ifindex = t->ingress_ifindex;

	if ((void *)(ethernet + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	*protocol = ethernet->protocol;
	t->network_offset = sizeof(*ethernet);
	t->tags = 0;
	if (is_vlan_protocol(*protocol)) {
		struct vlan_tag *tag = (void *)(ethernet + 1);

		if ((void *)(tag + 1) > t->data_end)
			return VERDICT_TRUNCATED;
		if (!the_options(t->world)->vlans)
			return refuse_tag(interface, tag);
		if ((void *)(tag + 2) > t->data_end)
			return VERDICT_TRUNCATED;
		ifindex = find_sub_interface(t->world, interface, ifindex, tag->id_and_priority);
		interface = find_interface(t->world, ifindex);
		*protocol = tag->protocol;
		t->network_offset += sizeof(*tag);
		t->tags = 1;
		if (is_vlan_protocol(*protocol)) {
			tag++;
			ifindex = find_sub_interface(t->world, interface, ifindex, tag->id_and_priority);
			interface = find_interface(t->world, ifindex);
			*protocol = tag->protocol;
			t->network_offset += sizeof(*tag);
			t->tags = 2;
		}
	}
	if (!ifindex || !is_served(interface))
		return VERDICT_UNKNOWN_INTERFACE;
	if (is_vlan_protocol(*protocol))
		return VERDICT_UNEXPECTED_TAG;
	t->interface_ifindex = ifindex;
	t->route.stamp = interface->routing_changes;
	t->role = interface->flags & (INTERFACE_INTERNAL | INTERFACE_EXTERNAL);
	return VERDICT_CONTINUE;
}

/* RFC 1812 section 5.2.2: a router verifies the header checksum. */
step_inline int is_header_sum_right(const struct iphdr *ip)
{
	const __u32 *word = (const void *)ip;

	return fold_sum((__u64)word[0] + word[1] + word[2] + word[3] + word[4]) == 0xffff;
}

/* What stands behind a fixed header: the options of IPv4 or TCP. */
struct option_bytes {
	__u8 byte[40];
	__u32 length;	/* of them */
};

/* Well formed, and no source route: those are not forwarded (ICMP-29). */
step_apart int scan_options(const struct option_bytes *options)
{
	__u32 next = 0;

	if (!options)
		return VERDICT_TABLE_MISSING;
	#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < sizeof(options->byte); i++) {
		__u8 type = options->byte[i], length;

		if (i >= options->length || (i == next && type == IPV4_OPTION_END))
			break;
		if (i < next)
			continue;
		next = i + 1;
		if (type == IPV4_OPTION_NOP)
			continue;
		if (type == IPV4_OPTION_LOOSE_ROUTE || type == IPV4_OPTION_STRICT_ROUTE)
			return VERDICT_SOURCE_ROUTE;
		length = i + 1 < sizeof(options->byte) ? options->byte[i + 1] : 0;
		if (length < 2 || i + length > options->length)
			return VERDICT_BAD_IPV4_HEADER;
		next = i + length;
	}
	return VERDICT_CONTINUE;
}

/* `length` is 1 to 40. Written so that the verifier sees that too: bounded as one register, used as the same. */
step_inline int read_options(struct translation *t, __u32 offset, __u32 length, struct option_bytes *options)
{
	__u32 last = (length - 1) & 63;

	keep_order(last);
	if (last >= sizeof(options->byte))
		return 0;
	options->length = last + 1;
	return read_frame(t->world, offset, options->byte, last + 1);
}

step_inline enum verdict check_options(struct translation *t, __u32 header_length)
{
	const __u32 *word = (const void *)t->ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	struct option_bytes options = {};

	if (!read_options(t, (t->network_offset & NETWORK_OFFSET_MASK) + sizeof(*t->ip),
			  header_length - sizeof(*t->ip), &options))
		return VERDICT_TRUNCATED;
	for (__u32 i = 0; i < sizeof(options.byte) / 4; i++)
		sum += ((const __u32 *)options.byte)[i];
	if (fold_sum(sum) != 0xffff)
		return VERDICT_BAD_IPV4_CHECKSUM;
	return scan_options(&options);
}

step_inline enum verdict parse_network(struct translation *t)
{
	struct iphdr *ip = t->data + (t->network_offset & NETWORK_OFFSET_MASK);
	__u32 header_length, total_length;

	if ((void *)(ip + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	header_length = ip->ihl * 4;
	total_length = NETWORK16(ip->tot_len);
	if (ip->version != 4 || header_length < sizeof(*ip) || total_length < header_length)
		return VERDICT_BAD_IPV4_HEADER;
	/* The slow path has put the datagram together, and hands in its head only. */
	if ((void *)ip + total_length > t->data_end && !the_options(t->world)->slow_path &&
	    (t->network_offset & NETWORK_OFFSET_MASK) + total_length > frame_length(t->world))
		return VERDICT_BAD_IPV4_HEADER;
	t->ip = ip;
	if (header_length == sizeof(*ip)) {
		if (!is_header_sum_right(ip))
			return VERDICT_BAD_IPV4_CHECKSUM;
	} else {
		TRY(check_options(t, header_length));
	}
	t->transport = (void *)ip + header_length;
	t->transport_length = total_length - header_length;
	t->source = ip->saddr;
	t->destination = ip->daddr;
	t->protocol = ip->protocol;
	return VERDICT_CONTINUE;
}

step_inline int is_fragment(const struct translation *t)
{
	return t->ip->frag_off & NETWORK16(IP_MORE_FRAGMENTS | IP_OFFSET_MASK);
}

step_inline enum verdict parse_tcp(struct translation *t)
{
	struct tcphdr *tcp = t->transport;

	if (t->transport_length < sizeof(*tcp))
		return VERDICT_BAD_TRANSPORT_HEADER;
	if ((void *)(tcp + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	if (tcp->doff < 5 || tcp->doff * 4 > t->transport_length)
		return VERDICT_BAD_TRANSPORT_HEADER;
	if (!tcp->source || !tcp->dest)
		return VERDICT_PORT_ZERO;
	t->source_port = tcp->source;
	t->destination_port = tcp->dest;
	t->tcp_flags = ((const __u8 *)tcp)[13];
	return VERDICT_CONTINUE;
}

step_inline enum verdict parse_udp(struct translation *t)
{
	struct udphdr *udp = t->transport;

	if (t->transport_length < sizeof(*udp))
		return VERDICT_BAD_TRANSPORT_HEADER;
	if ((void *)(udp + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	if (NETWORK16(udp->len) < sizeof(*udp) || NETWORK16(udp->len) > t->transport_length)
		return VERDICT_BAD_TRANSPORT_HEADER;
	if (!udp->source || !udp->dest)
		return VERDICT_PORT_ZERO;
	t->source_port = udp->source;
	t->destination_port = udp->dest;
	return VERDICT_CONTINUE;
}

/* The ports of what an ICMP error quotes (RFC 5508 section 4): options are
 * skipped, its checksums and length are not judged, only that the first 8
 * bytes of transport are there. */
step_inline enum verdict parse_quote(struct translation *t)
{
	struct iphdr *quoted = t->transport + sizeof(struct icmphdr);
	__u32 header_length;
	struct udphdr *ports;

	if (t->transport_length < sizeof(struct icmphdr) + sizeof(*quoted) + sizeof(*ports))
		return VERDICT_ICMP_ERROR_BAD_QUOTE;
	if ((void *)(quoted + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	header_length = quoted->ihl * 4;
	if (quoted->version != 4 || header_length < sizeof(*quoted) ||
	    t->transport_length < sizeof(struct icmphdr) + header_length + sizeof(*ports) ||
	    quoted->frag_off & NETWORK16(IP_OFFSET_MASK))
		return VERDICT_ICMP_ERROR_BAD_QUOTE;
	ports = (void *)quoted + header_length;
	if ((void *)(ports + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	t->quoted_ip = quoted;
	t->quoted_transport = ports;
	t->quoted_length = t->transport_length - sizeof(struct icmphdr) - header_length;
	t->quoted_source = quoted->saddr;
	t->quoted_destination = quoted->daddr;
	t->protocol = quoted->protocol;
	if (quoted->protocol == IPPROTO_ICMP) {
		struct icmphdr *icmp = (void *)ports;

		if (icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY && icmp->type != ICMP_TIMESTAMP &&
		    icmp->type != ICMP_TIMESTAMPREPLY && icmp->type != ICMP_ADDRESS &&
		    icmp->type != ICMP_ADDRESSREPLY)
			return VERDICT_ICMP_ERROR_BAD_QUOTE;
		t->source_port = icmp->un.echo.id;
		t->destination_port = icmp->un.echo.id;
		return VERDICT_CONTINUE;
	}
	if (quoted->protocol != IPPROTO_TCP && quoted->protocol != IPPROTO_UDP)
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	t->source_port = ports->source;
	t->destination_port = ports->dest;
	return VERDICT_CONTINUE;
}

/* Queries carry an identifier that plays the part of the port (RFC 5508
 * section 3). Requests go out and replies come in; a shared address has no one
 * owner for a request from outside (SHARE-29). Types 4, 5, 9, 10, 15, 16 are
 * not supported (requirements of RFC 5508 section 7, and K-16). */
step_inline enum verdict parse_icmp(struct translation *t)
{
	struct icmphdr *icmp = t->transport;

	if (t->transport_length < sizeof(*icmp))
		return VERDICT_BAD_TRANSPORT_HEADER;
	if ((void *)(icmp + 1) > t->data_end)
		return VERDICT_TRUNCATED;
	switch (icmp->type) {
	case ICMP_ECHO:
	case ICMP_TIMESTAMP:
	case ICMP_ADDRESS:
		if (t->direction != DIRECTION_OUTBOUND || t->external)
			return VERDICT_UNSOLICITED_QUERY;
		break;
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_ADDRESSREPLY:
		if (t->direction != DIRECTION_INBOUND)
			return VERDICT_UNSUPPORTED_ICMP;
		break;
	case ICMP_DEST_UNREACH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		t->icmp_error = 1;
		return parse_quote(t);
	default:
		return VERDICT_UNSUPPORTED_ICMP;
	}
	t->source_port = icmp->un.echo.id;
	t->destination_port = icmp->un.echo.id;
	return VERDICT_CONTINUE;
}

step_inline enum verdict parse_transport(struct translation *t)
{
	t->icmp_error = 0;
	t->tcp_flags = 0;
	if (t->protocol == IPPROTO_UDP)
		return parse_udp(t);
	if (t->protocol == IPPROTO_TCP)
		return parse_tcp(t);
	if (t->protocol == IPPROTO_ICMP)
		return parse_icmp(t);
	return VERDICT_UNSUPPORTED_PROTOCOL;
}

#endif
