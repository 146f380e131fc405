#!/usr/bin/env bash
# told_by_icmp.sh - senders hear why: a refused subscriber, a remote host whose packet is larger than the internal link,
# whole or in fragments, and a datagram in fragments that may not be cut.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "small"
internal = ["100.64.0.0/16"]
external = ["198.51.100.1/32"]
ports = "1024-1151"
block_size = 64
max_blocks = 1
TOML
start_agent
serve_echo web 7000
listen_to() {
  launch "$1" "$2" tcpdump -lnvi "$3" --immediate-mode icmp
  wait_until grep -q "listening on" "$lab/$1.log"
}

# A quota: host unreachable, about the packet as the subscriber knows it.
seen_as s1 "$web_address" 7000 --source-port 20000 --count 64 --timeout 2 > "$lab/seen"
assert_equal "answers" 64 "$(wc -l < "$lab/seen")"
listen_to inside s1 eth0
assert_equal "one port too many" "" "$(seen_as s1 "$web_address" 7000 --source-port 21000 --timeout 1)"
wait_until grep -q "100.64.1.1 > 100.64.1.2: ICMP host $web_address unreachable" "$lab/inside.log"
grep -q "100.64.1.2.21000 > $web_address.7000" "$lab/inside.log"   # quoted
read -r address port <<< "$(head -n 1 "$lab/seen")"

# Inbound, larger than the internal link, DF: fragmentation needed, with that link's MTU.
ip -n gw link set sub1 mtu 1300
ip -n s1 link set eth0 mtu 1300
listen_to outside r to_gw
on web python3 "$here/fragments.py" flood "$address" "$port" --size 1400 --df --count 1 --source-port 7000
told() { grep -q "$gateway_address > $web_address: ICMP $address unreachable - need to frag (mtu 1300)" \
  "$lab/outside.log"; }
wait_until told
assert_counter INBOUND_TOO_BIG -ge 1
# The remote host has learned: nothing larger is sent to that address now.
assert_equal "path MTU web has learned" 1300 "$(on web ip -j route get "$address" | jq '.[0].metrics[0].mtu')"

# In fragments, from a host that has not: without DF the datagram is cut to fit, with DF the sender hears the same.
launch taker s1 python3 "$here/who_am_i.py" serve 20000
wait_until listens s1 udp 20000
had=$(datagrams s1)
on dns python3 "$here/fragments.py" flood "$address" "$port" --size 3000 --count 1
arrived() { test "$(datagrams s1)" -gt "$had"; }
wait_until arrived
on dns python3 "$here/fragments.py" flood "$address" "$port" --size 3000 --df --count 1
told_the_other() {
  grep -q "$gateway_address > $dns_address: ICMP $address unreachable - need to frag (mtu 1300)" "$lab/outside.log"
}
wait_until told_the_other
sleep 0.3
assert_equal "errors sent" 3 "$(slow_path counters.icmp_sent)"
end inside || true
end outside || true
