/* owner.h - whose packet is this, and which way does it go? Answered from the
 * two addresses and the role of the interface, before anything behind the IPv4
 * header is looked at. */
#ifndef APNAT_CORE_OWNER_H
#define APNAT_CORE_OWNER_H

#include "directory.h"

/* First octets that are never a source on the wire: 0/8, 127/8, 224/4, 240/4 (SEC-3). */
step_inline int is_martian_source(__be32 address)
{
	__u8 octet = address & 0xff;

	return octet == 0 || octet == 127 || octet >= 224;
}

step_inline int is_link_local_group(__be32 address)
{
	return (address & NETWORK32(0xffffff00)) == NETWORK32(0xe0000000) || address == 0xffffffff;
}

step_inline enum verdict find_sender(struct translation *t)
{
	__u8 octet = t->destination & 0xff;

	if (t->external && !(t->external->flags & ADDRESS_POOL))
		return VERDICT_TO_GATEWAY;
	if (octet >= 224 || octet == 0 || octet == 127)
		return octet >= 224 && octet < 240 ? VERDICT_MULTICAST : VERDICT_MARTIAN;
	if (t->source == t->destination)
		return VERDICT_LAND;
	t->direction = DIRECTION_OUTBOUND;
	return VERDICT_CONTINUE;
}

/* For the pool, from outside. Nobody outside has an address of ours. */
step_inline enum verdict find_receiver(struct translation *t)
{
	if (is_martian_source(t->source))
		return VERDICT_MARTIAN;
	if (t->source == t->destination)
		return VERDICT_LAND;
	if (find_external(t->world, t->source))
		return t->external->flags & ADDRESS_LOCAL ? VERDICT_TO_GATEWAY : VERDICT_SOURCE_SPOOFED;
	t->direction = DIRECTION_INBOUND;
	return VERDICT_CONTINUE;
}

/* An ICMP error may come from a router between us and the subscriber, which is
 * no subscriber itself (ICMP-16): its quoted packet says whose it is. */
step_inline int may_be_internal_router(const struct translation *t)
{
	return t->protocol == IPPROTO_ICMP && !is_martian_source(t->source);
}

step_inline enum verdict find_owner(struct translation *t)
{
	t->external = find_external(t->world, t->destination);
	t->subscriber = NULL;
	if (is_link_local_group(t->destination))
		return VERDICT_LINK_LOCAL;
	if (t->role & INTERFACE_INTERNAL) {
		t->subscriber = find_subscriber_of(t->world, t->source, &t->subscriber_reference,
						   &t->subscriber_address);
		if (t->subscriber)
			return find_sender(t);
	}
	if (t->role & INTERFACE_EXTERNAL) {
		if (t->external && t->external->flags & ADDRESS_POOL)
			return find_receiver(t);
		if (t->external)
			return VERDICT_TO_GATEWAY;
		if (find_subscriber_of(t->world, t->destination, &t->subscriber_reference,
				       &t->subscriber_address))
			return VERDICT_INTERNAL_FROM_OUTSIDE;
		return VERDICT_NOT_OURS;
	}
	if (t->external && !(t->external->flags & ADDRESS_POOL))
		return VERDICT_TO_GATEWAY;
	if (may_be_internal_router(t)) {
		t->direction = DIRECTION_OUTBOUND;
		return VERDICT_CONTINUE;
	}
	return VERDICT_NOT_A_SUBSCRIBER;
}

#endif
