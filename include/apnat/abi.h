/* abi.h - what every header of the contract stands on: fixed-width types, the
 * size check, and the number of the contract itself.
 *
 * The headers in this folder are plain data read by three compilers: clang for
 * BPF, C17 (the native build of bpf/core) and C++23 (user space). They hold
 * types and lists, never behaviour.
 *
 * Byte order: addresses and ports that came off the wire stay in network order
 * (__be32, __be16). A host-order value says so in its name (`_host`), or is a
 * slot, an index or a count, which have no wire form. */
#ifndef APNAT_ABI_H
#define APNAT_ABI_H

#include <linux/types.h>

/* Changes when a row of a pinned table changes shape or meaning. An agent does
 * not adopt tables of another number; it says so instead. */
#define APNAT_ABI_VERSION 5

#ifdef __cplusplus
#define ABI_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type " is part of the contract")
#else
#define ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " is part of the contract")
#endif

/* The key word of a mapping is compared and swapped as one little-endian
 * 64-bit number; a big-endian port would have to place `marks` elsewhere. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "apnat's tables are laid out for little-endian machines"
#endif

#endif
