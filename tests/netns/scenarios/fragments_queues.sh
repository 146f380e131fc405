#!/usr/bin/env bash
# fragments_queues.sh - [FRAG-1] devices of several queues: fragments come in by any of them, also by one that the way out
# does not have for sending.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

# several NAMESPACE IFACE NAMESPACE IFACE - a veth pair with four queues towards the first end, one back.
several() {
  ip -n "$1" link add "$2" numrxqueues 4 numtxqueues 1 type veth \
    peer name "$4" netns "$3" numrxqueues 1 numtxqueues 4
  like_a_wire "$1" "$2"
  like_a_wire "$3" "$4"
  ip -n "$1" link set "$2" up
  ip -n "$3" link set "$4" up
}
lay_out
ip -n gw link delete sub1
several gw sub1 s1 eth0
ip -n gw address add 100.64.1.1/24 dev sub1
host s1 eth0 100.64.1.2/24 100.64.1.1
ip -n gw link delete ext
several gw ext r to_gw
ip -n gw address add "$gateway_address/24" dev ext
ip -n gw route add default via "$router_address"
ip -n r address add "$router_address/24" dev to_gw
ip -n r route add 198.51.100.0/24 via "$gateway_address"
common_pool | write_config
start_agent
assert_equal "sockets: of ext, sub1, sub2" "[4,4,1]" "$(slow_path 'sockets | group_by(.device) | map(length)' | jq -c .)"

# The sender's queue is a hash of the two addresses: of 16 towards 4, all alike once in a thousand million times.
for n in {1..16}; do
  ip -n web address add "203.0.113.$((96 + n))/26" dev eth0
  on s1 ping -q -c 1 -W 3 "203.0.113.$((96 + n))" > "$lab/ping"
done
for n in {1..16}; do
  on s1 ping -q -c 3 -i 0.02 -W 3 -s 8000 "203.0.113.$((96 + n))" > "$lab/ping-$n"
  assert "large pings to address $n" "$(grep -c ' 3 received' "$lab/ping-$n") == 1"
done
assert_fragments_accounted
# Both ways by AF_XDP, however they came.
assert "datagrams by AF_XDP" "$(slow_path counters.forwarded) == 96"
assert_equal "datagrams lost on the way out" 0 "$(slow_path counters.send_failed)"
