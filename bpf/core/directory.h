/* directory.h - an address becomes a row number, by two array look-ups:
 * /16 -> page, /24 -> chunk. Nothing is hashed or searched. */
#ifndef APNAT_CORE_DIRECTORY_H
#define APNAT_CORE_DIRECTORY_H

#include "parse.h"

/* The chunk of `address` in `realm`; NULL: nothing in its /24. */
step_inline const struct directory_chunk *find_chunk(struct world *world, enum realm realm, __be32 address)
{
	__u32 host = NETWORK32(address);
	__u32 page_index = (host >> 16) & (ROOT_PAGES - 1);
	const struct directory_root *root;
	const struct directory_chunk *chunk;
	__u32 page;

	root = find_directory_root(world, (__u32)realm * (DIRECTORY_ROOTS / 2) + (host >> 21));
	if (!root)
		return NULL;
	page = root->chunk_page[page_index];
	if (!page)
		return NULL;
	chunk = find_directory_chunk(world, page * CHUNKS_PER_PAGE + ((host >> 8) & (CHUNKS_PER_PAGE - 1)));
	if (!chunk || !chunk->row_plus_one)
		return NULL;
	return chunk;
}

/* The row of an address of the external realm; NULL: neither pool nor local. */
step_inline struct external_address *find_external(struct world *world, __be32 address)
{
	const struct directory_chunk *chunk = find_chunk(world, REALM_EXTERNAL, address);
	struct external_address *row;

	if (!chunk)
		return NULL;
	row = find_external_address(world, chunk->row_plus_one - 1 + (NETWORK32(address) & 0xff));
	return row && row->flags ? row : NULL;
}

/* The subscriber that has `address`; NULL: none. */
step_inline struct subscriber *find_subscriber_of(struct world *world, __be32 address, __u32 *reference,
						  __be32 *prefix)
{
	const struct directory_chunk *chunk = find_chunk(world, REALM_INTERNAL, address);
	struct subscriber *subscriber;
	__u32 shift;

	if (!chunk)
		return NULL;
	shift = chunk->shift & 15;
	*reference = chunk->row_plus_one - 1 + ((NETWORK32(address) & 0xff) >> shift);
	*prefix = NETWORK32(NETWORK32(address) >> shift << shift);
	subscriber = find_subscriber(world, *reference);
	return subscriber && subscriber->pool_plus_one ? subscriber : NULL;
}

#endif
