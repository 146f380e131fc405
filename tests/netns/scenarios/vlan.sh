#!/usr/bin/env bash
# vlan.sh - [FRAG-1] [UDP-25] VLAN sub-interfaces inside and outside: one tag towards s1 and the
# router, two tags (802.1ad and 802.1Q) towards s2, another VLAN left alone; whole packets, and fragments.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

# tagged NAMESPACE IFACE VLAN [PROTOCOL] - its name is IFACE.VLAN
tagged() {
  ip -n "$1" link add link "$2" name "$2.$3" mtu 1500 type vlan id "$3" protocol "${4:-802.1Q}"
  ip -n "$1" link set "$2.$3" up
}

namespaces s1 s2 gw r web dns
forwarding gw
forwarding r
connect gw sub1 s1 eth0 1508
needs "VLAN devices" tagged gw sub1 10
connect gw sub2 s2 eth0 1508
connect gw ext r to_gw 1508
tagged s1 eth0 10
tagged gw sub1 11
tagged s1 eth0 11
tagged gw sub2 200 802.1ad
tagged s2 eth0 200 802.1ad
tagged gw sub2.200 20
tagged s2 eth0.200 20
tagged gw ext 100
tagged r to_gw 100
ip -n gw address add 100.64.1.1/24 dev sub1.10
host s1 eth0.10 100.64.1.2/24 100.64.1.1
ip -n gw address add 10.1.1.1/24 dev sub1.11
ip -n s1 address add 10.1.1.2/24 dev eth0.11
ip -n gw address add 100.64.2.1/24 dev sub2.200.20
host s2 eth0.200.20 100.64.2.2/24 100.64.2.1
ip -n gw address add "$gateway_address/24" dev ext.100
ip -n r address add "$router_address/24" dev to_gw.100
ip -n gw route add default via "$router_address"
ip -n r route add 198.51.100.0/24 via "$gateway_address"
lay_internet

internal='["sub1.10", "sub2.200.20"]' external='["ext.100"]'
{ common_pool; common_forward udp 198.51.100.5:7000 100.64.2.2:7000; } | write_config
start_agent

serve_files web "$lab/www"
head -c 3000000 /dev/urandom > "$lab/www/file"
for subscriber in s1 s2; do
  on "$subscriber" ping -q -c 1 -W 3 "$web_address"
  on "$subscriber" ping -q -c 10 -i 0.02 -W 3 -s 1472 -M "do" "$web_address"
  on "$subscriber" curl -sS --max-time 20 -o "$lab/got" "http://$web_address/file"
  cmp "$lab/www/file" "$lab/got"
done
assert_fast_path 60 2000

# In fragments: from under one tag and under two, out under one, and from one subscriber to the other.
for server in web s2; do
  launch "echo-$server" "$server" python3 "$here/fragments.py" serve 7000 --order reverse
  wait_until listens "$server" udp 7000
done
# exchange WHAT WHO ADDRESS
exchange() {
  assert_equal "$1" "10 of 10 echoed" "$(on "$2" python3 "$here/fragments.py" exchange "$3" 7000 --count 10 --size 8000 \
    --order shuffled --wait $((2 * patience)))"
}
exchange "fragments under one tag" s1 "$web_address"
exchange "fragments under two tags" s2 "$web_address"
exchange "fragments from one tag to two" s1 198.51.100.5
assert_fragments_accounted
assert_equal "datagrams in fragments by AF_XDP" 60 "$(slow_path counters.forwarded)"
assert_equal "turned round among them" 20 "$(slow_path verdicts.HAIRPINNED)"
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_counter SLOW_PATH_AWAY -eq 0

on s1 ping -q -c 3 -i 0.02 -W 3 10.1.1.1
assert_counter UNKNOWN_INTERFACE -ge 3
ip -n s1 link set eth0.11 down   # or it asks who has 10.1.1.1 once more
allowed[UNKNOWN_INTERFACE]=$(counter UNKNOWN_INTERFACE)
