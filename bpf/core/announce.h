/* announce.h - telling the agent what must not be forgotten: who has which ports.
 * An assignment takes its sequence number, then its place in the ring, and only
 * then exists. No place: it is not made (or, where the operator prefers, it is
 * made and the missing number shows). Refusals are told too, but seldom. */
#ifndef APNAT_CORE_ANNOUNCE_H
#define APNAT_CORE_ANNOUNCE_H

#include "lifetime.h"

/* What an assignment is about. */
struct assignment_record {
	struct world *world;
	__u64 seq;		/* answer: the number it took */
	__u64 tai_ns;
	__u64 created_at_ns;
	__u16 type;
	__u16 pool_index;
	__u16 first_slot;
	__u16 last_slot;
	__be32 subscriber;
	__be32 internal_address;
	__be32 external_address;
	__be32 destination_address;
	__be16 internal_port;
	__be16 external_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 reserved;
};

/* An empty one, in this processor's scratch room. */
static inline struct assignment_record *begin_record(struct world *world);

step_inline void clear_record(struct event_record *record)
{
	__u64 *word = (__u64 *)record;

	for (__u32 i = 0; i < sizeof(*record) / sizeof(*word); i++)
		word[i] = 0;
}

/* 0: there was no place, nothing is recorded. The number is taken either way. */
step_apart int announce(struct assignment_record *what)
{
	struct node_state *node;
	struct event_record *record;

	if (!what)
		return 0;
	node = find_node_state(what->world);
	if (!node)
		return 0;
	what->seq = __sync_fetch_and_add(&node->next_seq, 1);
	record = reserve_event(what->world);
	if (!record)
		return 0;
	clear_record(record);
	record->type = what->type;
	record->version = EVENT_RECORD_VERSION;
	record->protocol = what->protocol;
	record->pool = what->pool_index;
	record->seq = what->seq;
	record->monotonic_ns = now_monotonic_ns(what->world);
	record->tai_ns = what->tai_ns;
	record->subscriber = what->subscriber;
	record->internal_address = what->internal_address;
	record->external_address = what->external_address;
	record->internal_port = what->internal_port;
	record->external_port = what->external_port;
	record->first_slot = what->first_slot;
	record->last_slot = what->last_slot;
	record->destination_address = what->destination_address;
	record->destination_port = what->destination_port;
	record->created_at_ns = what->created_at_ns;
	submit_event(what->world, record);
	return 1;
}

/* A refusal or security event; told once an interval per subject, with the
 * number that was not. It takes a sequence number only once it has a place, so
 * it may be lost without leaving a gap. The subject is a subscriber (limits), a
 * pool (exhaustion) or the node (spoofing). */
struct refusal {
	struct world *world;
	__u32 subscriber_reference;
	__u32 now;
	__u32 limit;
	__u16 type;
	__u16 verdict;
	__u16 pool_index;
	__u16 ifindex;
	__be32 subscriber;
	__be32 source;
	__be32 external_address;
	__u8 protocol;
};

/* An empty one, in this processor's scratch room; NULL: no such room. */
static inline struct refusal *begin_refusal(struct world *world);

/* Is it time to tell? If not, one more is counted as suppressed. */
step_inline int is_time_to_report(const struct refusal *what, __u32 *reported, __u32 *suppressed)
{
	if (*reported && (__s32)(what->now - *reported) < (__s32)the_options(what->world)->event_interval_ticks) {
		__sync_fetch_and_add(suppressed, 1);
		return 0;
	}
	*reported = what->now | 1;
	return 1;
}

step_inline void tell_refusal(const struct refusal *what, __u32 *suppressed)
{
	struct node_state *node = find_node_state(what->world);
	struct event_record *record;

	if (!node)
		return;
	record = reserve_event(what->world);
	if (!record) {
		__sync_fetch_and_add(suppressed, 1);
		return;
	}
	clear_record(record);
	record->seq = __sync_fetch_and_add(&node->next_seq, 1);
	record->type = what->type;
	record->version = EVENT_RECORD_VERSION;
	record->pool = what->pool_index;
	record->verdict = what->verdict;
	record->monotonic_ns = now_monotonic_ns(what->world);
	record->tai_ns = now_tai_ns(what->world);
	record->subscriber = what->subscriber;
	record->internal_address = what->source;
	record->external_address = what->external_address;
	record->protocol = what->protocol;
	record->ifindex = what->ifindex;
	record->limit = what->limit;
	record->suppressed = *suppressed;
	*suppressed = 0;
	submit_event(what->world, record);
}

step_apart int report(const struct refusal *what)
{
	struct subscriber *subscriber;
	struct pool_activity *activity;
	struct node_state *node;

	if (!what)
		return 0;
	if (what->type == EVENT_QUOTA_EXCEEDED) {
		subscriber = find_subscriber(what->world, what->subscriber_reference);
		if (subscriber && is_time_to_report(what, &subscriber->refusal_reported,
						    &subscriber->refusals_suppressed))
			tell_refusal(what, &subscriber->refusals_suppressed);
	} else if (what->type == EVENT_POOL_EXHAUSTED) {
		activity = find_pool_activity(what->world, what->pool_index);
		if (activity && is_time_to_report(what, &activity->exhaustion_reported,
						  &activity->exhaustions_suppressed))
			tell_refusal(what, &activity->exhaustions_suppressed);
	} else if (what->type == EVENT_IPV4_ID_REPEATED) {
		node = find_node_state(what->world);
		if (node && is_time_to_report(what, &node->id_repeat_reported, &node->id_repeats_suppressed))
			tell_refusal(what, &node->id_repeats_suppressed);
	} else {
		node = find_node_state(what->world);
		if (node && is_time_to_report(what, &node->spoofing_reported, &node->spoofings_suppressed))
			tell_refusal(what, &node->spoofings_suppressed);
	}
	return 0;
}

#endif
