/* core_native.h - the translator compiled for this machine: unit tests, stories,
 * fuzzers and `natctl explain` run the very text that runs in the kernel. Plain
 * C in front, so that C++ can call it; the world is borrowed, never owned. */
#ifndef APNAT_CORE_NATIVE_H
#define APNAT_CORE_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include <apnat/events.h>
#include <apnat/options.h>
#include <apnat/tables.h>
#include <apnat/verdict.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What find_route is asked and answers (bpf/core/platform.h, struct route). */
struct core_route {
	uint32_t ingress_ifindex;
	uint32_t source;		/* network order */
	uint32_t destination;
	uint16_t total_length;
	uint8_t protocol;
	uint8_t tos;
	uint32_t egress_ifindex;
	uint8_t source_mac[6];
	uint8_t destination_mac[6];
	uint16_t mtu;
};

enum core_route_result {
	CORE_ROUTE_FOUND,
	CORE_ROUTE_NO_NEIGHBOUR,
	CORE_ROUTE_TOO_BIG,
	CORE_ROUTE_BY_KERNEL,
	CORE_ROUTE_NONE,
	CORE_ROUTE_PROHIBITED,
	CORE_ROUTE_FORWARDING_OFF,
};

/* The verbs of bpf/core/platform.h, answered by whoever runs the translator. `self` is handed back. Rows: NULL
 * where there is none. */
struct core_verbs {
	uint32_t (*now_ticks)(void *self);
	uint64_t (*now_monotonic_ns)(void *self);
	uint64_t (*now_tai_ns)(void *self);
	uint32_t (*random_u32)(void *self);
	const struct options *(*the_options)(void *self);
	struct node_state *(*find_node_state)(void *self);
	const struct interface *(*find_interface)(void *self, uint32_t ifindex);
	const struct vlan_member *(*find_vlan_member)(void *self, uint32_t index);
	const struct directory_root *(*find_directory_root)(void *self, uint32_t index);
	const struct directory_chunk *(*find_directory_chunk)(void *self, uint32_t index);
	struct subscriber *(*find_subscriber)(void *self, uint32_t reference);
	struct external_address *(*find_external_address)(void *self, uint32_t row);
	const struct pool *(*find_pool)(void *self, uint32_t index);
	struct pool_activity *(*find_pool_activity)(void *self, uint32_t index);
	const struct pool_address *(*find_pool_address)(void *self, uint32_t index);
	struct mapping_set *(*find_mapping_set)(void *self, uint32_t tables, uint32_t set);
	struct creation_set *(*find_creation_set)(void *self, uint32_t tables, uint32_t set);
	struct port_block *(*find_port_block)(void *self, uint32_t tables, uint32_t block);
	const struct forward_set *(*find_forward_set)(void *self, uint32_t set);
	struct ipv4_id_row *(*find_ipv4_id_row)(void *self, uint32_t row);
	struct ipv4_id_laps *(*find_ipv4_id_laps)(void *self, uint32_t row);
	enum core_route_result (*find_route)(void *self, struct core_route *route);
	struct event_record *(*reserve_event)(void *self);	/* NULL: the ring is full */
	void (*submit_event)(void *self, struct event_record *record);
};

/* What became of a frame. Offsets are 0 where the packet ended before they were known. */
struct core_result {
	enum verdict verdict;
	uint32_t interface_ifindex;	/* the (sub-)interface it belongs to */
	uint32_t network_offset;
	int outbound;
	int hairpin;
	int icmp_error;
	uint32_t subscriber_reference;	/* outbound, from a subscriber */
	int has_subscriber;
	uint32_t egress_ifindex;	/* forwarded */
	uint8_t source_mac[6];
	uint8_t destination_mac[6];
};

/* Translates `frame` (its link header first; IPv4 at 2 mod 4 for aligned access) in place. */
void core_translate(const struct core_verbs *verbs, void *self, void *frame, size_t length, uint32_t ingress_ifindex,
		    struct core_result *result);

/* The arithmetic that the agent shares with the program. */
uint64_t core_mapping_key(uint32_t address, uint16_t port, uint8_t protocol);	/* network order */
uint64_t core_slot_hash(const uint64_t secret[4], uint64_t key);
uint32_t core_first_set(uint64_t hash, uint32_t first_slot, uint32_t last_slot);
uint32_t core_second_set(uint64_t hash, uint32_t first_slot, uint32_t last_slot);
uint32_t core_home_slot(uint64_t hash);
uint16_t core_port_of_slot(const struct pool *pool, uint16_t slot);	/* host order */
uint16_t core_slot_of_port(const struct pool *pool, uint16_t port);
int core_is_usable_slot(const struct pool *pool, uint16_t slot);
uint32_t core_lifetime_ticks(const struct options *options, uint8_t protocol, uint32_t state);
uint32_t core_next_state_outbound(uint32_t state, uint8_t tcp_flags, uint32_t remote_tag);
uint32_t core_next_state_inbound(uint32_t state, uint8_t tcp_flags, uint32_t remote_tag);

/* FATE_... of a verdict; the ICMP error its sender is told by; its name; the sentence that tells a person. */
enum fate core_fate(enum verdict verdict);
enum icmp_answer core_icmp_answer(enum verdict verdict);
const char *core_verdict_name(enum verdict verdict);
const char *core_verdict_sentence(enum verdict verdict);

#ifdef __cplusplus
}
#endif

#endif
