/* maps.h - every BPF map, in the order of apnat/tables.h. Rows and their rules
 * are documented there. Maps in maps are created and placed by the agent. */
#ifndef APNAT_MAPS_H
#define APNAT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include <apnat/events.h>
#include <apnat/tables.h>
#include <apnat/verdict.h>

#define ROWS(map_name, row, count, flags_of_map)                 \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY);             \
		__uint(max_entries, count);                   \
		__uint(map_flags, flags_of_map);              \
		__type(key, __u32);                           \
		__type(value, struct row);                    \
	} map_name SEC(".maps")

#define TABLES(map_name, row, count, rows_each)               \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);     \
		__uint(max_entries, count);                   \
		__type(key, __u32);                           \
		__array(values, struct {                      \
			__uint(type, BPF_MAP_TYPE_ARRAY);     \
			__uint(max_entries, rows_each);       \
			__uint(map_flags, BPF_F_MMAPABLE);    \
			__uint(key_size, sizeof(__u32));      \
			__uint(value_size, sizeof(struct row)); \
		});                                           \
	} map_name SEC(".maps")

ROWS(directory_roots, directory_root, DIRECTORY_ROOTS, 0);
ROWS(directory_chunks, directory_chunk, MAX_CHUNK_PAGES * CHUNKS_PER_PAGE, 0);
TABLES(mapping_tables, mapping_set, MAX_EXTERNAL_TABLES, SETS_PER_ADDRESS);
TABLES(creation_tables, creation_set, MAX_EXTERNAL_TABLES, SETS_PER_ADDRESS);
TABLES(subscriber_tables, subscriber, MAX_SUBSCRIBER_TABLES, SUBSCRIBERS_PER_TABLE);
TABLES(block_tables, port_block, MAX_EXTERNAL_TABLES, BLOCKS_PER_ADDRESS);
ROWS(external_addresses, external_address, MAX_EXTERNAL_ROWS, BPF_F_MMAPABLE);
ROWS(pools, pool, MAX_POOLS, BPF_F_MMAPABLE);
ROWS(pool_activity, pool_activity, MAX_POOLS, BPF_F_MMAPABLE);
ROWS(pool_addresses, pool_address, MAX_EXTERNAL_TABLES * 2, BPF_F_MMAPABLE);
ROWS(forward_sets, forward_set, FORWARD_SETS, BPF_F_MMAPABLE);
ROWS(interfaces, interface, MAX_IFINDEX, 0);
ROWS(vlan_members, vlan_member, MAX_VLAN_TABLES * VLANS_PER_TABLE, 0);
ROWS(tables_in_place, tables_in_place, MAX_EXTERNAL_TABLES, BPF_F_MMAPABLE);
ROWS(node_state, node_state, 1, BPF_F_MMAPABLE);
ROWS(ipv4_ids, ipv4_id_row, IPV4_ID_ROWS, BPF_F_MMAPABLE);
ROWS(ipv4_id_laps, ipv4_id_laps, IPV4_ID_ROWS, BPF_F_MMAPABLE);
ROWS(xsk_backlogs, xsk_backlog, MAX_XSK_SOCKETS, BPF_F_MMAPABLE);
ROWS(slow_path_batch, slow_path_batch, 1, BPF_F_MMAPABLE);
ROWS(slow_path_datagrams, slow_path_datagram, SLOW_PATH_BATCH, BPF_F_MMAPABLE);

/* The agent's sockets. They leave the map by themselves when the agent dies. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_XSK_SOCKETS);
	__type(key, __u32);
	__type(value, __u32);
} xsk_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, MAX_IFINDEX);
	__type(key, __u32);
	__type(value, __u32);
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} verdict_counters SEC(".maps");

/* The same of datagrams that the slow path runs through its copy: they are made of packets already counted above. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} slow_path_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENT_RING_BYTES);
} events SEC(".maps");

#endif
