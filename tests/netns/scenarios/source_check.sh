#!/usr/bin/env bash
# source_check.sh - on an internal interface only subscribers are heard: others
# are dropped and counted, and one event says so. From outside nobody may speak
# with the pool's own addresses, nor reach an internal one directly.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

ip -n s1 address add 10.9.9.9/32 dev eth0
before=$(received r to_gw)
! on s1 ping -q -c 5 -i 0.02 -W 1 -I 10.9.9.9 "$web_address" || fail "a stranger was let through"
assert_counter NOT_A_SUBSCRIBER -ge 5
assert "packets that left" "$(received r to_gw) - $before <= 1"
wait_until has_event source_spoofed '.source_address == "10.9.9.9"'

# A priority tag is no way round: the kernel would take it off, and forward what is under it.
before=$(received r to_gw)
on s1 python3 "$here/tagged.py" eth0 "$(mac_of gw sub1)" \
  --vlan 0 --source 10.9.9.9 --destination "$web_address" --count 5
on s1 python3 "$here/tagged.py" eth0 "$(mac_of gw sub1)" \
  --vlan 0 --vlan 0 --source 100.64.1.2 --destination "$web_address" --count 5
wait_until counter_is UNEXPECTED_TAG -ge 10
assert "packets that left" "$(received r to_gw) - $before <= 1"

ip -n r address add 198.51.100.1/32 dev lo
! on r ping -q -c 2 -i 0.02 -W 1 -I 198.51.100.1 198.51.100.2 || fail "an answer to a spoofed source"
assert_counter SOURCE_SPOOFED -ge 2
ip -n r address del 198.51.100.1/32 dev lo

ip -n r route add 100.64.0.0/16 via "$gateway_address"
! on r ping -q -c 2 -i 0.02 -W 1 100.64.1.2 || fail "an internal address was reached from outside"
assert_counter INTERNAL_FROM_OUTSIDE -ge 2
