#!/usr/bin/env bash
# fragments.sh - [FRAG-1] [FRAG-19] [FRAG-23] [UDP-24] what real programs send in fragments arrives, from two subscribers at
# once, whatever the order: large pings, DNS answers of 4 KB, UDP exchanges in reverse order, a narrow external link.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

large_pings() { on "$1" ping -q -c 20 -i 0.02 -W 3 -s 20000 "$web_address" > "$lab/ping-$1"; }
large_pings s1 & first=$!
large_pings s2
wait "$first"
for who in s1 s2; do
  assert "large pings of $who" "$(grep -c ' 20 received' "$lab/ping-$who") == 1"
done

# 240 addresses of one name: an answer of nearly 4,096 bytes.
for n in {1..240}; do echo "10.1.2.$n many.example.net"; done > "$lab/many"
launch dnsmasq dns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
  --log-facility=- --addn-hosts="$lab/many" --edns-packet-max=4096
wait_until listens dns udp 53
for who in s1 s2; do
  on "$who" dig +notcp +ignore +bufsize=4096 +tries=1 +time=3 @"$dns_address" many.example.net > "$lab/dig-$who"
  assert "addresses in the answer to $who" "$(grep -c $'\tA\t10.1.2' "$lab/dig-$who") == 240"
done

# Both ways in reverse order, the same IDs from both subscribers.
launch echo web python3 "$here/fragments.py" serve 7000 --order reverse
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 "${@:2}"; }
exchange s1 --size 8000 --order reverse --count 50 > "$lab/reverse-s1" & first=$!
exchange s2 --size 8000 --order reverse --count 50 > "$lab/reverse-s2"
wait "$first"
assert_equal "exchanges of s1 in reverse order" "50 of 50 echoed" "$(cat "$lab/reverse-s1")"
assert_equal "exchanges of s2 in reverse order" "50 of 50 echoed" "$(cat "$lab/reverse-s2")"
assert_equal "the largest datagram there is" "3 of 3 echoed" "$(exchange s1 --size 65507 --order shuffled --count 3)"

# A stream of 8 KB datagrams each way.
serve_iperf web
for way in --version4 --reverse; do
  receiver=web
  [[ $way != --reverse ]] || receiver=s1
  had=$(datagrams $receiver)
  on s1 iperf3 -c "$web_address" --connect-timeout 5000 -u -b 40M -l 8192 -t 2 -J "$way" > "$lab/udp.json"
  sent=$(jq '.end.sum.packets' "$lab/udp.json")
  assert "datagrams sent ($way)" "$sent > 1000"
  assert "datagrams that arrived ($way), of $sent" "$(datagrams $receiver) - $had >= $sent"
done

# IPsec in UDP over a narrow external link: what comes in whole goes out in fragments, and fragments in smaller ones.
ip -n gw link set ext mtu 1280
ip -n r link set to_gw mtu 1280
assert_equal "datagrams of 1,400 bytes" "20 of 20 echoed" "$(exchange s1 --size 1400 --count 20)"
assert_equal "datagrams of 1,600 bytes" "20 of 20 echoed" "$(exchange s2 --size 1600 --count 20)"
assert_counter FRAGMENTED_BY_KERNEL -ge 20

slow_path() { natctl status --json | jq -e ".slow_path.$1"; }
sleep 0.3
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_equal "datagrams lost on the way out" 0 "$(slow_path counters.send_failed)"
assert_counter SLOW_PATH_AWAY -eq 0
assert_counter FRAGMENT -ge 2000
natctl status > "$lab/status"
grep -q "^fragments .* datagrams whole" "$lab/status" || fail "natctl status says nothing of fragments"
