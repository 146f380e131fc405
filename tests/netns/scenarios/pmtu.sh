#!/usr/bin/env bash
# pmtu.sh - [ICMP-22] [ICMP-27] [UDP-23] path MTU discovery works through the gateway: a router's "too big" reaches the
# subscriber, and the gateway's own way out being narrow is told too, about the packet as the subscriber sent it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
ip -n r link set to_web mtu 1400
ip -n web link set eth0 mtu 1400

assert_exit 1 on s1 ping -c 1 -W 3 -M "do" -s 1450 "$web_address"
assert_says "mtu = 1400"
assert_says "From $router_address"
assert_equal "path MTU s1 has learned" 1400 \
  "$(ip -n s1 -j route get "$web_address" | jq '.[0].metrics[0].mtu')"
on s1 ping -q -c 3 -i 0.02 -W 3 -M "do" -s 1372 "$web_address"

# The gateway has learned of a narrow path, which its kernel does not heed when it forwards: what does not fit is not
# left to it.
assert_exit 1 on gw ping -c 1 -W 3 -M "do" -s 1450 "$web_address"
assert_equal "path MTU the gateway has learned" 1400 \
  "$(ip -n gw -j route get "$web_address" | jq '.[0].metrics[0].mtu')"
assert_exit 1 on s2 ping -c 1 -W 3 -M "do" -s 1450 "$web_address"
assert_says "mtu = 1400"
assert_says "From 100.64.2.1"
assert_counter FRAGMENTATION_NEEDED -ge 1

# A narrow external link.
ip -n gw link set ext mtu 1300
ip -n r link set to_gw mtu 1300
before=$(received r to_gw)
assert_exit 1 on s2 ping -c 1 -W 3 -M "do" -s 1400 "$dns_address"
assert_says "mtu = 1300"
assert_says "From 100.64.2.1"
assert_counter FRAGMENTATION_NEEDED -ge 2
assert "packets that left all the same" "$(received r to_gw) - $before <= 1"   # ARP may be one

serve_files web "$lab/www"
head -c 1000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 20 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
