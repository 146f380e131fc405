#!/usr/bin/env bash
# fragments_as_linux.sh - [FRAG-1] [FRAG-6] [FRAG-7] [UDP-25] thousands of random datagrams in random fragments, shuffled,
# doubled, spoilt and lost, to Linux directly and through the gateway, from a subscriber and to one: what Linux delivers comes
# through with the same bytes, unless our policy forbids it, and nothing else does.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

# Fragments of up to 1,548 bytes, some of which may not be cut.
lay_out 1600
write_config << TOML
$(common_pool)
block_size = 64
$(common_forward udp 198.51.100.5:4000 100.64.1.2:4000)

[fragments]
memory = "256MiB"
TOML
# The one address that frames of tests/support/fragments.h have.
ip -n gw link set sub1 address 02:00:00:00:00:02
ip -n gw link set ext address 02:00:00:00:00:02
ip -n gw route add 100.64.16.0/20 dev sub1
start_agent
on s1 ping -q -c 1 -W 3 "$web_address"

"$bin/test_through_the_gateway"

assert_equal "frames lost before the agent" 0 "$(slow_path 'socket_losses | .rx_dropped + .rx_ring_full')"
assert_equal "datagrams lost on the way out" 0 "$(slow_path counters.send_failed)"
assert_counter SLOW_PATH_AWAY -eq 0
assert_counter FRAGMENT -ge 20000
allowed[BAD_TRANSPORT_HEADER]=$(counter BAD_TRANSPORT_HEADER)   # UDP that says to be longer than it is
assert_fragments_accounted
