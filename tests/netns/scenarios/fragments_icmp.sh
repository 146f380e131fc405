#!/usr/bin/env bash
# fragments_icmp.sh - [FRAG-1] [ICMP-11] [ICMP-15] [ICMP-18] [ICMP-19] [ICMP-34] [ICMP-36] [UDP-25] ICMP errors that quote
# so much that they come in fragments themselves, in any order: from outside, from a subscriber, and from one subscriber to
# another; about a datagram and about a ping. What they quote is what its sender knows, to the last byte, and the checksum
# is right. And the largest pings there are.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
error() { on "$1" python3 "$here/icmp_pieces.py" error "$2" --quote "${@:3}" > "$lab/sent"; }
for who in s1 s2 web; do
  launch "heard-$who" "$who" python3 "$here/icmp_pieces.py" hear 60
  wait_until grep -q hearing "$lab/heard-$who.log"
done
# hears WHO LINE - as the next it has heard.
hears() {
  more() { test "$(wc -l < "$lab/heard-$1.log")" -ge $((${heard[$1]:-1} + 1)); }
  wait_until more "$1"
  heard[$1]=$((${heard[$1]:-1} + 1))
  assert_equal "what $1 has heard" "$2" "$(tail -n "+${heard[$1]}" "$lab/heard-$1.log")"
}
declare -A heard

serve_echo web 7000
read -r a a_port <<< "$(seen_as s1 "$web_address" 7000 --source-port 41000)"
read -r b b_port <<< "$(seen_as s2 "$web_address" 7000 --source-port 42000)"
on s1 ping -q -c 2 -i 0.05 -W 3 -e 77 "$web_address"
query=$(mappings --subscriber 100.64.1.2 --protocol icmp | jq '.external_port')

# From outside, about what s1 sent; from a router on the way too, which no mapping knows.
for order in forward reverse shuffled; do
  error web "$a" udp "$a" "$a_port" "$web_address" 7000 --order "$order"
  hears s1 "$web_address 3 3 udp 100.64.1.2 41000 $web_address 7000 2008"
done
error r "$a" udp "$a" "$a_port" "$web_address" 7000 --type 11 --code 0 --size 1999
hears s1 "$router_address 11 0 udp 100.64.1.2 41000 $web_address 7000 2007"
error r "$a" icmp "$a" "$query" "$web_address" 0 --type 11 --code 0 --order reverse
hears s1 "$router_address 11 0 icmp 100.64.1.2 77 $web_address 0 2008"

# From a subscriber, about what it got.
for order in forward reverse; do
  error s1 "$web_address" udp "$web_address" 7000 100.64.1.2 41000 --order "$order"
  hears web "$a 3 3 udp $web_address 7000 $a $a_port 2008"
done

# From s2 about what s1 sent to its external endpoint: s2 knows s1's external endpoint, and s1 s2's.
for order in forward reverse; do
  error s2 "$a" udp "$a" "$a_port" 100.64.2.2 42000 --order "$order"
  hears s1 "$b 3 3 udp 100.64.1.2 41000 $b $b_port 2008"
done
assert_fragments_accounted
assert_equal "errors put together" 9 "$(slow_path reassembly.datagrams)"
assert_equal "HAIRPINNED among them" 2 "$(slow_path 'verdicts.HAIRPINNED // 0')"
assert_counter FRAGMENT -eq $((9 * 4))

# About nothing that anybody has sent: silence, and counted once for the error.
error web "$a" udp "$a" "$((a_port ^ 1))" "$web_address" 7000
error s1 "$web_address" udp "$web_address" 7000 100.64.1.2 41001
about_nothing() { test "$(slow_path 'verdicts.ICMP_ERROR_NO_MAPPING // 0')" -eq 2; }
wait_until about_nothing
for who in s1 s2 web; do assert_equal "lines of $who" "${heard[$who]:-1}" "$(wc -l < "$lab/heard-$who.log")"; done

# 44 fragments a ping.
for who in s1 s2; do
  on "$who" ping -q -c 3 -i 0.02 -W 3 -s 65000 "$web_address" > "$lab/ping"
  assert "the largest pings of $who" "$(grep -c ' 3 received' "$lab/ping") == 1"
done
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_fragments_accounted
