/* icmp.h - ICMP errors (RFC 5508 section 4): whose packet is quoted, and what the
 * error must say to the one it goes to. They neither refresh nor end a mapping. */
#ifndef APNAT_CORE_ICMP_H
#define APNAT_CORE_ICMP_H

#include "hairpin.h"

step_inline int is_packet_too_big(const struct icmphdr *icmp)
{
	return icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED;
}

/* SEC-18: an MTU below the floor, or one that the quoted packet would have fitted, is not believed. */
step_inline enum verdict check_packet_too_big(struct translation *t)
{
	struct icmphdr *icmp = t->transport;
	__u16 mtu = NETWORK16(icmp->un.frag.mtu);

	if (!is_packet_too_big(icmp))
		return VERDICT_CONTINUE;
	if (mtu < the_options(t->world)->packet_too_big_floor || NETWORK16(t->quoted_ip->tot_len) <= mtu)
		return VERDICT_ICMP_MTU_NOT_BELIEVED;
	return VERDICT_CONTINUE;
}

/* From outside, about a packet that left as quoted_source:source_port. */
step_inline enum verdict find_inbound_error(struct translation *t)
{
	struct mapping *mapping;

	if (t->quoted_source != t->destination)
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	mapping = find_by_external(t, t->external, t->source_port);
	if (!mapping)
		return t->external->flags & ADDRESS_LOCAL ? VERDICT_TO_GATEWAY : VERDICT_ICMP_ERROR_NO_MAPPING;
	TRY(check_packet_too_big(t));
	t->new_destination = mapping->internal_address;
	t->new_source_port = mapping->internal_port;
	return VERDICT_CONTINUE;
}

/* SHARE-33: only the subscriber itself may say that its path is narrow. */
step_inline enum verdict check_reporter(struct translation *t, const struct subscriber *quoted)
{
	if (is_packet_too_big(t->transport) && t->subscriber != quoted)
		return VERDICT_ICMP_ERROR_FORGED;
	return check_packet_too_big(t);
}

/* The live mapping of an internal endpoint, without opening one. */
step_inline int find_existing(struct translation *t, struct subscriber *subscriber, __u32 reference, __be32 address,
			      __be16 port, struct binding *binding)
{
	const volatile struct options *options = the_options(t->world);
	__u64 key = mapping_key(address, port, t->protocol), hash = slot_hash(options->secret, key);
	struct scratch *scratch = find_scratch(t->world);
	struct place *place;

	if (options->forwards && subscriber->flags & SUBSCRIBER_HAS_FORWARDS &&
	    find_forward(t->world, key, hash, class_of(t->protocol), binding))
		return 1;
	if (!scratch)
		return 0;
	place = &scratch->place;
	__builtin_memset(place, 0, sizeof(*place));
	place->world = t->world;
	place->key = key;
	place->hash = hash;
	place->reference = reference;
	place->tables = subscriber->tables;
	place->class = class_of(t->protocol);
	place->now = t->now;
	if (!find_place(place))
		return 0;
	binding->mapping = find_mapping_at(t->world, place->tables, place->class, place->slot);
	binding->external_address = subscriber->external_address;
	binding->external_port = external_port_of(t->world, subscriber, place->slot);
	return binding->mapping && !is_expired(options, binding->mapping, t->now, 0);
}

/* From inside, about a packet that came in for quoted_destination:destination_port. */
step_inline enum verdict find_outbound_error(struct translation *t)
{
	struct subscriber *quoted;
	struct mapping *receiver;
	struct binding binding;
	__u32 reference;
	__be32 prefix;

	quoted = find_subscriber_of(t->world, t->quoted_destination, &reference, &prefix);
	if (!quoted)
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	TRY(check_reporter(t, quoted));
	if (!find_existing(t, quoted, reference, t->quoted_destination, t->destination_port, &binding))
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	t->new_source = binding.external_address;
	t->new_destination_port = binding.external_port;
	if (!t->external)
		return t->quoted_source == t->destination ? VERDICT_CONTINUE : VERDICT_ICMP_ERROR_NO_MAPPING;
	/* A hairpinned packet is answered: the quoted source is an external endpoint of ours too (RFC 5508 REQ-7). */
	if (!(t->external->flags & ADDRESS_POOL) || t->quoted_source != t->destination)
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	receiver = find_by_external(t, t->external, t->source_port);
	if (!receiver)
		return VERDICT_ICMP_ERROR_NO_MAPPING;
	t->hairpin = 1;
	t->new_destination = receiver->internal_address;
	t->new_source_port = receiver->internal_port;
	return VERDICT_CONTINUE;
}

#endif
