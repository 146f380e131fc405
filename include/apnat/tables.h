/* tables.h - the rows of every table both planes share: the state of the NAT.
 *
 * State is indexed, not hashed (docs/architecture.md). An external address has a
 * mapping table of 3 x 65,536 slots of 16 bytes; the slot *is* the external
 * port, by the pool's port layout. A subscriber is found by direct index too.
 *
 *   directory: realm, address -> chunk -> row
 *     internal realm: row is a subscriber reference (subscriber_tables)
 *     external realm: row is an external address row (external_addresses)
 *   subscriber  -> its external address and port blocks
 *   external address -> tables number: mapping table, block table
 *
 * Concurrency. Mappings are claimed by compare-and-swap on `key`, under the
 * subscriber's `lock` (so that two processors never open two mappings for one
 * internal endpoint). The agent takes no lock: it frees a mapping by
 * compare-and-swap on `key`, only once it has been expired for RECLAIM_MARGIN
 * ticks, and takes a block back in steps (`closing`, a grace period, release on record, free).
 *
 * Time in rows is in ticks of 2^26 ns (67 ms) of CLOCK_MONOTONIC: 32 bits last
 * nine years. Wall-clock fields are nanoseconds of CLOCK_TAI. */
#ifndef APNAT_TABLES_H
#define APNAT_TABLES_H

#include <apnat/abi.h>

enum {
	TICK_SHIFT = 26,		/* ns >> TICK_SHIFT = ticks */
	RECLAIM_MARGIN = 16,		/* ticks (about 1 s) between "expired" and "may be taken" */

	SET_SLOTS = 16,			/* mappings in one set: four cache lines */
	SLOTS_PER_CLASS = 65536,
	SETS_PER_CLASS = SLOTS_PER_CLASS / SET_SLOTS,
	PROTOCOL_CLASSES = 3,
	SETS_PER_ADDRESS = SETS_PER_CLASS * PROTOCOL_CLASSES,

	MIN_BLOCK_SIZE = 64,		/* ports */
	BLOCKS_PER_ADDRESS = SLOTS_PER_CLASS / MIN_BLOCK_SIZE,
	MAX_SUBSCRIBER_BLOCKS = 8,	/* max_blocks of a pool is at most this */

	SUBSCRIBERS_PER_TABLE = 4096,
	MAX_SUBSCRIBER_TABLES = 4096,	/* 16 M subscribers */
	MAX_EXTERNAL_TABLES = 8192,	/* external addresses with mapping tables */
	MAX_POOLS = 256,

	ROOT_PAGES = 32,		/* /16s in one directory_root row */
	DIRECTORY_ROOTS = 2 * 65536 / ROOT_PAGES,
	CHUNKS_PER_PAGE = 256,		/* /24s in a /16 */
	MAX_CHUNK_PAGES = 1024,
	ADDRESSES_PER_CHUNK = 256,
	MAX_EXTERNAL_ROWS = 512 * ADDRESSES_PER_CHUNK,

	FORWARD_SETS = 4096,
	VLANS_PER_TABLE = 4096,
	MAX_VLAN_TABLES = 64,
	MAX_IFINDEX = 65536,

	EVENT_RING_BYTES = 16 * 1024 * 1024,

	MAX_XSK_SOCKETS = 4096,		/* one a receive queue of each device */
	IPV4_ID_ROWS = 65536,
	IPV4_ID_SEGMENTS = 64,		/* of the 65,536 IDs: what is remembered of when they were used */
	IPV4_ID_TICK_BITS = 26,		/* come round after 52 days */
};

/* ---- addresses -> rows --------------------------------------------------- */

enum realm { REALM_INTERNAL = 0, REALM_EXTERNAL = 1 };

/* Table `directory_roots`, index realm * 2048 + (host address >> 21); the page of
 * the /16 is chunk_page[(host address >> 16) & 31]. 0: nothing in this /16 (page 0 is
 * kept all zero). */
struct directory_root {
	__u16 chunk_page[ROOT_PAGES];
};
ABI_SIZE(struct directory_root, 64);

/* Table `directory_chunks`, index page * 256 + ((host address >> 8) & 255).
 * The row of an address is row + ((host address & 255) >> shift). */
struct directory_chunk {
	__u32 row_plus_one;	/* 0: nothing in this /24 */
	__u8 shift;		/* 32 - subscriber_prefix_length, at most 8 */
	__u8 reserved[3];
};
ABI_SIZE(struct directory_chunk, 8);

/* ---- mappings ------------------------------------------------------------ */

enum protocol_class { CLASS_TCP = 0, CLASS_UDP = 1, CLASS_OTHER = 2 };

/* marks of a mapping's key */
enum {
	MARK_IN_USE = 0x80,	/* set in every mapping: no key is ever 0 */
	MARK_STATIC = 0x40,	/* a port forward: does not expire, is not swept */
	MARK_GENERATION = 0x0f,	/* counts revivals, so that a sweep of the old one fails */
};

/* compares address, port, protocol and MARK_IN_USE; generation and STATIC aside */
#define KEY_MASK 0x80ffffffffffffffULL

enum tcp_state {
	TCP_NONE = 0,		/* not TCP, or nothing seen */
	TCP_INIT = 1,		/* SYN from inside (RFC 7857 section 2) */
	TCP_ESTABLISHED = 2,
	TCP_CLIENT_FIN = 3,
	TCP_SERVER_FIN = 4,
	TCP_BOTH_FIN = 5,
	TCP_TRANS = 6,		/* RST seen: RFC 7857 section 2.2 */
};

/* fields of mapping.state */
enum {
	STATE_TCP = 0x7,		/* enum tcp_state */
	STATE_SEVERAL_SESSIONS = 0x8,	/* more than one remote endpoint opened a session: a FIN or
					 * RST of one must not shorten the others' lives */
	STATE_RUNTIME_FORWARD = 0x10,	/* a forward made by natctl, not by the configuration */
	STATE_REMOTE_SHIFT = 16,	/* 16 bits of a hash of the first session's remote endpoint */
};

/* One mapping: internal address:port/protocol <-> the external address:port it stands at. */
struct mapping {
	union {
		struct {
			__be32 internal_address;
			__be16 internal_port;	/* ICMP: the query identifier */
			__u8 protocol;
			__u8 marks;
		};
		__u64 key;	/* 0: free */
	};
	__u32 last_seen;	/* ticks; refreshed by outbound packets (RFC 4787 REQ-6) */
	__u32 state;
};
ABI_SIZE(struct mapping, 16);

/* Table number n of `mapping_tables` is one external address: index
 * class * SETS_PER_CLASS + slot / SET_SLOTS, entry slot % SET_SLOTS. 3 MiB. */
struct mapping_set {
	struct mapping slot[SET_SLOTS];
};
ABI_SIZE(struct mapping_set, 256);

/* Table number n of `creation_tables`, only for addresses of pools that log mappings:
 * CLOCK_TAI ns of each mapping's creation; indexed as mapping_tables. */
struct creation_set {
	__u64 created_at_ns[SET_SLOTS];
};
ABI_SIZE(struct creation_set, 128);

/* ---- subscribers and their blocks ---------------------------------------- */

/* Slots first..last of the subscriber's external address; last 0: no block here. */
struct slot_range {
	__u16 first;
	__u16 last;
};
ABI_SIZE(struct slot_range, 4);

enum {
	SUBSCRIBER_HAS_FORWARDS = 0x1,	/* look in forward_sets before the blocks */
	SUBSCRIBER_FIXED_BLOCKS = 0x2,	/* deterministic, static: blocks are the agent's to give */
};

/* Table number r / 4096 of `subscriber_tables`, index r % 4096; r is the
 * subscriber's reference. */
struct subscriber {
	__u32 lock;		/* ticks | 1 of who opens a mapping or takes a block; 0: free */
	__u16 pool_plus_one;	/* 0: no subscriber at this address */
	__u8 flags;
	__u8 overflowed;	/* bit b: block b holds mappings outside their two sets */
	__u8 closing;		/* bit b: the agent is taking block b back; nothing new in it */
	__u8 spilled;		/* bit b: block b holds mappings in their second set; else a look-up is spared it */
	__u16 tables;		/* of its paired external address: spares a look-up a packet */
	__u16 new_in_second;	/* mappings opened in rate_second */
	__u16 rate_second;	/* ticks >> 4 */
	__u32 refusal_reported;	/* ticks of the last quota_exceeded event */
	__u32 refusals_suppressed;
	__u32 external_row_plus_one;	/* its paired external address (RFC 6888 REQ-2); 0: none yet */
	__be32 external_address;
	struct slot_range block[MAX_SUBSCRIBER_BLOCKS];
};
ABI_SIZE(struct subscriber, 64);

/* Table number n of `block_tables` is one external address; index slot >> block_size_log2. Used by
 * dynamic pools; the one truth about who holds a block. */
struct port_block {
	__u32 owner_plus_one;	/* subscriber reference + 1, claimed by compare-and-swap; 0: free */
	__u32 available_from;	/* ticks. Free: held down until then (RFC 6888 REQ-8); 0: at once.
				 * Owned, and its closing bit set: since when it closes */
	__u64 assigned_at_ns;	/* CLOCK_TAI */
	__u64 assigned_seq;	/* of its port_block_assigned event */
	__u32 mappings_created;
	__be32 subscriber;	/* the owner's address (its prefix's first) */
};
ABI_SIZE(struct port_block, 32);

/* ---- pools and external addresses ----------------------------------------- */

enum {
	ADDRESS_POOL = 0x1,	/* shared address of a pool */
	ADDRESS_LOCAL = 0x2,	/* the gateway's own: the kernel gets what no mapping claims */
};

/* Table `external_addresses`: a row for each address of each /24 that holds one. */
struct external_address {
	__be32 address;
	__u16 pool_plus_one;	/* 0: not in a pool */
	__u16 flags;
	__u32 tables;		/* number in mapping_tables, block_tables, creation_tables */
	__u32 blocks_owned;	/* dynamic: counted atomically */
	__u32 first_blocks;	/* subscribers paired with this address that hold a block */
	__u32 reserved[3];
};
ABI_SIZE(struct external_address, 32);

enum assignment { ASSIGN_DYNAMIC = 0, ASSIGN_DETERMINISTIC = 1, ASSIGN_STATIC = 2 };
enum port_layout { LAYOUT_CONTIGUOUS = 0, LAYOUT_PSID = 1, LAYOUT_SCATTERED = 2 };
enum filtering { FILTER_ENDPOINT_INDEPENDENT = 0 };
enum log_level { LOG_BLOCKS = 0, LOG_MAPPINGS = 1, LOG_MAPPINGS_WITH_DESTINATION = 2 };

enum {
	POOL_HAIRPINNING = 0x1,
	POOL_CONTINUE_UNLOGGED = 0x2,	/* on_log_failure = "continue" */
	POOL_PROXY_ARP = 0x4,
};

/* Table `pools`. Written by the agent; the program only reads. */
struct pool {
	__u8 assignment;
	__u8 port_layout;
	__u8 log;
	__u8 filtering;
	__u8 flags;
	__u8 block_size_log2;		/* dynamic and psid */
	__u8 max_blocks;
	__u8 subscriber_prefix_length;
	__u16 first_port_host;		/* `ports`: what subscribers may get */
	__u16 last_port_host;
	__u16 first_block;		/* block numbers usable on each address, inclusive */
	__u16 last_block;
	__u8 psid_offset;		/* a of RFC 7597 section 5.1 */
	__u8 psid_length;		/* k; m = 16 - a - k */
	__u16 first_block_reserve;	/* blocks of each address kept for subscribers that have none */
	__u32 address_first;		/* pool_addresses[address_first .. + address_count) */
	__u32 address_count;
	__u32 max_new_mappings_per_second;	/* 0: no limit */
	__u32 layout_key[4];		/* scattered: round keys of the permutation */
	char name[32];			/* NUL-terminated; how a new agent knows the pool again */
};
ABI_SIZE(struct pool, 80);

/* Table `pool_activity`, index as pools: what the program notes about a pool. */
struct pool_activity {
	__u32 exhaustion_reported;	/* ticks of the last pool_exhausted event */
	__u32 exhaustions_suppressed;
};
ABI_SIZE(struct pool_activity, 8);

/* Table `pool_addresses`: rows of external_addresses. */
struct pool_address {
	__u32 external_row;
	__u32 reserved;
};
ABI_SIZE(struct pool_address, 8);

/* ---- port forwards, outbound direction ------------------------------------ */

/* The mapping itself stands in mapping_tables with MARK_STATIC. This is how a
 * packet of the internal endpoint finds it. The set is chosen as in a block of
 * FORWARD_SETS sets (mapping.h), first or second choice; the agent fills it. */
struct forward {
	__u64 key;		/* as mapping.key, MARK_IN_USE only; 0: free */
	__u32 external_row;
	__u16 slot;
	__u16 reserved;
};
ABI_SIZE(struct forward, 16);

struct forward_set {
	struct forward slot[SET_SLOTS];
};
ABI_SIZE(struct forward_set, 256);

/* ---- interfaces ------------------------------------------------------------ */

enum {
	INTERFACE_INTERNAL = 0x1,
	INTERFACE_EXTERNAL = 0x2,	/* both: one-armed */
	INTERFACE_EGRESS = 0x4,		/* packets may be redirected out of here */
	INTERFACE_ONE_BUFFER = 0x8,	/* but only those that lie in one buffer: the kernel loses others unsaid */
};

/* Table `interfaces`, index ifindex. */
struct interface {
	__u8 flags;
	__u8 vlan_depth;		/* tags to push on the way out: 0, 1, 2 */
	__u16 vlan_table_plus_one;	/* its VLAN sub-interfaces: vlan_members row base; 0: none */
	__u32 redirect_ifindex;		/* the physical interface below */
	__be16 vlan_protocol[2];	/* outer first */
	__be16 vlan_id[2];
	__be16 mac[3];
	__u16 xsk_sockets;		/* a device's: sockets of the slow path, one a receive queue; 0: none */
	__u32 first_xsk_socket;		/* in table xsk_sockets */
	__u32 routing_changes;		/* of routes and neighbours, that the agent heard of; never goes down */
};
ABI_SIZE(struct interface, 32);

/* Table `vlan_members`, index (table - 1) * 4096 + VLAN id -> ifindex of the sub-interface. */
struct vlan_member {
	__u32 ifindex;			/* 0: no such sub-interface */
	__u32 reserved;
};
ABI_SIZE(struct vlan_member, 8);

/* ---- the IPv4 ID ------------------------------------------------------------- */

/* Table `ipv4_ids`: what has been used up of the IDs towards the destinations that share this row. A row is chosen by
 * a keyed hash of (source, destination, protocol); two that share one are as safe as one alone, they only come round
 * sooner. IDs are given in the order of a keyed permutation of 0..65535, another for each (source, destination,
 * protocol): `given` counts them. A packet touches these 8 bytes and no more: all rows together stay in a cache. */
struct ipv4_id_row {
	__u32 given;		/* fetched and added */
	__u32 last_lap;		/* of the segment that `given` is in: its number << IPV4_ID_TICK_BITS | the low bits of its
				 * used_up_at. Another segment's number: to be looked up anew */
};
ABI_SIZE(struct ipv4_id_row, 8);

/* Table `ipv4_id_laps`, index as ipv4_ids. */
struct ipv4_id_laps {
	__u32 used_up_at[IPV4_ID_SEGMENTS];	/* ticks when the last ID of each was given; 0: never yet */
};
ABI_SIZE(struct ipv4_id_laps, 256);

/* ---- the slow path ------------------------------------------------------------ */

/* Table `xsk_backlogs`, index as xsk_sockets: what waits in a socket's receive ring, in buffers. Each side writes its own
 * words; what the ring refused after all was counted as punted, until the agent finds the ring empty. */
struct xsk_backlog {
	__u32 punted;		/* the program's: ever put there */
	__u32 taken;		/* the agent's: ever taken out */
	__u32 room;		/* the agent's: buffers the ring holds; 0: no socket */
	__u32 reserved;
};
ABI_SIZE(struct xsk_backlog, 16);

/* Table `slow_path_batch`, one row, memory-mapped: how many rows of `slow_path_datagrams` the agent has filled, and how
 * many of them, from the first, the slow path's copy of the program is through with. */
struct slow_path_batch {
	__u32 asked;		/* the agent's, at most SLOW_PATH_BATCH */
	__u32 answered;		/* the agent's to clear, the program's to count */
};
ABI_SIZE(struct slow_path_batch, 8);

enum {
	SLOW_PATH_BATCH = 32,		/* a chain of tail calls has 33 */
	/* All that the program reads and writes lies before this: link header and tags, IPv4 with options, an ICMP
	 * error's header, the packet it quotes with options, and 20 bytes of a quoted TCP header make 170. */
	SLOW_PATH_HEAD = 256,
	SLOW_PATH_GROWTH = 8,		/* what VLAN tags may add on the way */
};

/* Table `slow_path_datagrams`, memory-mapped: whole datagrams that the slow path's copy of the program is run on
 * (BPF_PROG_TEST_RUN). In a run's own buffer and context each would cost a system call, copies and an allocation. */
struct slow_path_datagram {
	/* in: the first SLOW_PATH_HEAD bytes of the frame, zeros behind a shorter one. Out, where the verdict lets it
	 * leave: what takes their place, the link header ready for the way out. */
	__u8 head[SLOW_PATH_HEAD + SLOW_PATH_GROWTH];
	__u32 head_length;	/* out: of `head` */
	__u32 ingress_ifindex;	/* in: the device */
	__u32 verdict;		/* out from here on: enum verdict */
	__u32 egress_ifindex;	/* the (sub-)interface of the way out; 0: the verdict has none */
	__u32 device_ifindex;	/* the device below it: where the frame is sent, its tags already on it */
	__u32 mtu;		/* of the way out, link header not counted; 0: not known */
	__u32 network_offset;	/* of the IPv4 header in `head` */
	__u32 interface_ifindex;	/* the (sub-)interface it came in by */
	__u8 outbound;
	__u8 hairpin;
	__u8 reserved[6];
};
ABI_SIZE(struct slow_path_datagram, 304);

/* ---- tables of tables ---------------------------------------------------------- */

/* Table `tables_in_place`, memory-mapped, the agent's alone: which numbers of the tables of tables hold one. To ask the
 * kernel costs a grace period a number up to 6.1, and there are 28,672. Set before a table is placed, cleared after it
 * is removed: whoever dies in between leaves a number to be asked for in vain. */
struct tables_in_place {
	__u8 mappings;
	__u8 blocks;
	__u8 creations;
	__u8 subscribers;
	__u8 reserved[4];
};
ABI_SIZE(struct tables_in_place, 8);

/* ---- the node ---------------------------------------------------------------- */

/* Table `node_state`, one row, memory-mapped. */
struct node_state {
	__u32 abi_version;		/* APNAT_ABI_VERSION of whoever made the tables */
	__u32 reserved;
	__u64 next_seq;			/* next event's sequence number; fetched and added */
	__u64 consumed_seq;		/* agent: every event below this has reached the sinks */
	__u64 secret[4];		/* keys of the slot hash: made once, kept as long as the tables */
	__u32 spoofing_reported;	/* ticks of the last source_spoofed event */
	__u32 spoofings_suppressed;
	__u64 started_at_ns;		/* CLOCK_TAI of the tables' making */
	__u64 ids_repeated;		/* IPv4 IDs that had to be given again within their lifetime */
	__u64 ids_made_atomic;		/* packets that got DF instead */
	__u32 id_repeat_reported;	/* ticks of the last ipv4_id_repeated event */
	__u32 id_repeats_suppressed;
	__s64 clock_offset_ns;		/* agent: CLOCK_REALTIME - CLOCK_MONOTONIC, as far as the history knows of
					 * steps of the clock; 0: not yet */
};
ABI_SIZE(struct node_state, 104);

#endif
