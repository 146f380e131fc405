#!/usr/bin/env bash
# jumbo.sh - frames of 9,000 bytes, in several buffers, go through unharmed; where the way out is narrower their sender is
# told [UDP-23]. A kernel before 6.3 redirects no such frame: there it forwards them itself, translated.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out 9000
common_pool | write_config
start_agent

on s1 ping -q -c 1 -W 3 "$web_address"
on s1 ping -q -c 20 -i 0.02 -W 3 -M "do" -s 8972 "$web_address"
serve_files web "$lab/www"
head -c 20000000 /dev/urandom > "$lab/www/file"
on s1 curl -sS --max-time 30 -o "$lab/got" "http://$web_address/file"
cmp "$lab/www/file" "$lab/got"
packets=$(($(counter TRANSLATED_INBOUND) + $(counter EGRESS_BY_KERNEL)))
assert "packets for 20 MB in large frames" "$packets >= 2000 && $packets < 8000"
assert_counter TRANSLATED_OUTBOUND -ge 30

ip -n gw link set ext mtu 1500
ip -n r link set to_gw mtu 1500
assert_exit 1 on s2 ping -c 1 -W 5 -M "do" -s 8000 "$web_address"
assert_says "mtu = 1500"
assert_says "From 100.64.2.1"
assert_counter FRAGMENTATION_NEEDED -eq 1
