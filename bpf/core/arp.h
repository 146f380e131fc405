/* arp.h - a pool that lies on the external link itself (`proxy_arp`): the gateway
 * answers for its addresses (RFC 826), in the frame that asked. */
#ifndef APNAT_CORE_ARP_H
#define APNAT_CORE_ARP_H

#include "directory.h"

struct arp_ipv4 {
	__be16 hardware_type;
	__be16 protocol_type;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__be16 sender_mac[3];
	__be16 sender_address[2];	/* 2-byte aligned in the frame */
	__be16 target_mac[3];
	__be16 target_address[2];
};

step_inline __be32 address_in(const __be16 half[2])
{
	return (__be32)half[0] | (__be32)half[1] << 16;
}

step_inline int is_request_for_pool(struct translation *t, const struct arp_ipv4 *arp)
{
	const struct external_address *external;
	const struct pool *pool;

	if (arp->hardware_type != NETWORK16(1) || arp->protocol_type != NETWORK16(ETH_P_IP) ||
	    arp->hardware_length != 6 || arp->protocol_length != 4 || arp->operation != NETWORK16(1))
		return 0;
	if (address_in(arp->sender_address) == address_in(arp->target_address))
		return 0;
	external = find_external(t->world, address_in(arp->target_address));
	if (!external || !(external->flags & ADDRESS_POOL) || external->flags & ADDRESS_LOCAL)
		return 0;
	pool = find_pool(t->world, external->pool_plus_one - 1);
	return pool && pool->flags & POOL_PROXY_ARP;
}

step_inline enum verdict answer_arp(struct translation *t)
{
	struct link_header *ethernet = t->data;
	struct arp_ipv4 *arp = t->data + (t->network_offset & NETWORK_OFFSET_MASK);
	const struct interface *interface = find_interface(t->world, t->interface_ifindex);
	__be16 target[2];

	if (!the_options(t->world)->proxy_arp || !(t->role & INTERFACE_EXTERNAL) || !interface)
		return VERDICT_NOT_IPV4;
	if ((void *)(arp + 1) > t->data_end || (void *)(ethernet + 1) > t->data_end)
		return VERDICT_NOT_IPV4;
	if (!is_request_for_pool(t, arp))
		return VERDICT_NOT_IPV4;
	target[0] = arp->target_address[0];
	target[1] = arp->target_address[1];
	arp->operation = NETWORK16(2);
	copy_mac(arp->target_mac, arp->sender_mac);
	arp->target_address[0] = arp->sender_address[0];
	arp->target_address[1] = arp->sender_address[1];
	copy_mac(arp->sender_mac, interface->mac);
	arp->sender_address[0] = target[0];
	arp->sender_address[1] = target[1];
	copy_mac(ethernet->destination, ethernet->source);
	copy_mac(ethernet->source, interface->mac);
	return VERDICT_ARP_ANSWERED;
}

#endif
