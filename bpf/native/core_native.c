/* core_native.c - bpf/core as C17, behind the facade of core_native.h. */
#include "core/platform.h"
#include "platform_native.h"

#include "core/translate.h"

_Static_assert((int)CORE_ROUTE_FORWARDING_OFF == (int)ROUTE_FORWARDING_OFF, "the two lists of route results agree");

void core_translate(const struct core_verbs *verbs, void *self, void *frame, size_t length, uint32_t ingress_ifindex,
		    struct core_result *result)
{
	struct scratch scratch;
	struct world world = { .verbs = verbs, .self = self, .frame = frame, .length = length, .scratch = &scratch };
	struct translation t = { .world = &world };

	t.data = frame;
	t.data_end = (char *)frame + length;
	t.ingress_ifindex = ingress_ifindex;
	memset(result, 0, sizeof(*result));
	result->verdict = translate(&t);
	result->interface_ifindex = t.interface_ifindex;
	result->network_offset = t.network_offset;
	result->outbound = t.direction == DIRECTION_OUTBOUND;
	result->hairpin = t.hairpin;
	result->icmp_error = t.icmp_error;
	result->has_subscriber = t.subscriber != NULL;
	result->subscriber_reference = t.subscriber_reference;
	result->egress_ifindex = t.route.egress_ifindex;
	memcpy(result->source_mac, t.route.source_mac, 6);
	memcpy(result->destination_mac, t.route.destination_mac, 6);
}

uint64_t core_mapping_key(uint32_t address, uint16_t port, uint8_t protocol)
{
	return mapping_key(address, port, protocol);
}

uint64_t core_slot_hash(const uint64_t secret[4], uint64_t key)
{
	__u64 words[4] = { secret[0], secret[1], secret[2], secret[3] };

	return slot_hash(words, key);
}

uint32_t core_first_set(uint64_t hash, uint32_t first_slot, uint32_t last_slot)
{
	return first_set(hash, first_slot, last_slot);
}

uint32_t core_second_set(uint64_t hash, uint32_t first_slot, uint32_t last_slot)
{
	return second_set(hash, first_slot, last_slot);
}

uint32_t core_home_slot(uint64_t hash)
{
	return home_slot(hash);
}

/* Whatever layouts the running program was loaded with, the arithmetic is that of all. */
static const struct options every_layout = { .psid_layout = 1, .scattered_layout = 1 };

uint16_t core_port_of_slot(const struct pool *pool, uint16_t slot)
{
	return port_of_slot(&every_layout, pool, slot);
}

uint16_t core_slot_of_port(const struct pool *pool, uint16_t port)
{
	return slot_of_port(&every_layout, pool, port);
}

int core_is_usable_slot(const struct pool *pool, uint16_t slot)
{
	return is_usable_slot(&every_layout, pool, slot);
}

uint32_t core_lifetime_ticks(const struct options *options, uint8_t protocol, uint32_t state)
{
	return lifetime_ticks(options, protocol, state);
}

uint32_t core_next_state_outbound(uint32_t state, uint8_t tcp_flags, uint32_t remote)
{
	return next_state_outbound(state, tcp_flags, remote);
}

uint32_t core_next_state_inbound(uint32_t state, uint8_t tcp_flags, uint32_t remote)
{
	return next_state_inbound(state, tcp_flags, remote);
}

enum fate core_fate(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, fate, icmp, sentence) \
	case VERDICT_##name:          \
		return FATE_##fate;
#include <apnat/verdicts.def>
#undef VERDICT
	default:
		return FATE_DROP;
	}
}

enum icmp_answer core_icmp_answer(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, fate, icmp, sentence) \
	case VERDICT_##name:                  \
		return ICMP_ANSWER_##icmp;
#include <apnat/verdicts.def>
#undef VERDICT
	default:
		return ICMP_ANSWER_NONE;
	}
}

const char *core_verdict_name(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, fate, icmp, sentence) \
	case VERDICT_##name:          \
		return #name;
#include <apnat/verdicts.def>
#undef VERDICT
	default:
		return "CONTINUE";
	}
}

const char *core_verdict_sentence(enum verdict verdict)
{
	switch (verdict) {
#define VERDICT(name, fate, icmp, sentence) \
	case VERDICT_##name:          \
		return sentence;
#include <apnat/verdicts.def>
#undef VERDICT
	default:
		return "";
	}
}
