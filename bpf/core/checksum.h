/* checksum.h - Internet checksums by increment (RFC 1624). Sums are over words
 * as they stand in memory: one's complement arithmetic does not mind the order. */
#ifndef APNAT_CORE_CHECKSUM_H
#define APNAT_CORE_CHECKSUM_H

#include "translation.h"

step_inline __u16 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What changing a field adds to a sum. */
step_inline __u64 change32(__be32 from, __be32 to)
{
	return (__u64)(__u32)~from + to;
}

step_inline __u64 change16(__be16 from, __be16 to)
{
	return (__u64)(__u16)~from + to;
}

/* The checksum `check` after the changes summed up in `changes`. */
step_inline __sum16 update_check(__sum16 check, __u64 changes)
{
	return ~fold_sum((__u16)~check + changes);
}

/* RFC 768: 0 means "no checksum", so a sum that comes to 0 is sent as 0xffff,
 * and "no checksum" stays that. */
step_inline __sum16 update_udp_check(__sum16 check, __u64 changes)
{
	if (!check)
		return 0;
	check = update_check(check, changes);
	return check ? check : 0xffff;
}

#endif
