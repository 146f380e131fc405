#!/usr/bin/env bash
# fragments.sh - [FRAG-1] [FRAG-19] [FRAG-23] [FRAG-31] [UDP-24] [UDP-25] [ICMP-23] [SHARE-34] what real programs send in
# fragments arrives, from two subscribers at once, whatever the order: large pings, DNS answers of 4 KB, UDP exchanges in
# reverse order, streams of 8 KB each way, a narrow external link.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent

# both COMMAND ARG... - with the subscriber's name as first argument, for both of them at once.
both() {
  "$1" s1 "${@:2}" & first=$!
  "$1" s2 "${@:2}"
  wait "$first"
}

large_pings() { on "$1" ping -q -c 20 -i 0.02 -W 3 -s 20000 "$web_address" > "$lab/ping-$1"; }
both large_pings
for who in s1 s2; do
  assert "large pings of $who" "$(grep -c ' 20 received' "$lab/ping-$who") == 1"
done

# 240 addresses of one name: an answer of nearly 4,096 bytes.
for n in {1..240}; do echo "10.1.2.$n many.example.net"; done > "$lab/many"
launch dnsmasq dns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
  --log-facility=- --addn-hosts="$lab/many" --edns-packet-max=4096
wait_until listens dns udp 53
large_answer() {
  on "$1" dig +notcp +ignore +bufsize=4096 +tries=1 +time=3 @"$dns_address" many.example.net > "$lab/dig-$1"
}
both large_answer
for who in s1 s2; do
  assert "bytes of the answer to $who" "$(awk '/MSG SIZE/ { print $NF }' "$lab/dig-$who") > 3800"
  assert "addresses in the answer to $who" "$(grep -c $'\tA\t10.1.2' "$lab/dig-$who") == 240"
done

# Both ways in reverse order, the same IDs from both subscribers.
launch echo web python3 "$here/fragments.py" serve 7000 --order reverse
wait_until listens web udp 7000
exchange() { on "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 "${@:2}" > "$lab/exchange-$1"; }
# both_echoed WHAT COUNT OPTION...
both_echoed() {
  both exchange --count "$2" "${@:3}"
  for who in s1 s2; do assert_equal "$1 ($who)" "$2 of $2 echoed" "$(< "$lab/exchange-$who")"; done
}
both_echoed "exchanges in reverse order" 50 --size 8000 --order reverse
both_echoed "the largest datagram there is" 3 --size 65507 --order shuffled

# A stream of 8 KB datagrams each way. A server for each subscriber: it serves one at a time.
sum_of_datagrams() { local who; for who in "$@"; do datagrams "$who"; done | awk '{ sum += $1 } END { print sum }'; }
serve_iperf web
launch iperf-second web iperf3 --server --port 5202
wait_until listens web tcp 5202
stream() {
  local port=5201
  [[ $1 == s1 ]] || port=5202
  on "$1" iperf3 -c "$web_address" -p "$port" --connect-timeout 5000 -u -b 20M -l 8192 -t 2 -J "$2" > "$lab/udp-$1.json"
}
for way in --version4 --reverse; do
  receivers=(web)
  [[ $way != --reverse ]] || receivers=(s1 s2)
  had=$(sum_of_datagrams "${receivers[@]}")
  both stream "$way"
  sent=$(jq -s 'map(.end.sum.packets) | add' "$lab"/udp-s?.json)
  assert "datagrams sent ($way)" "$sent > 1000"
  assert "datagrams that arrived ($way), of $sent" "$(sum_of_datagrams "${receivers[@]}") - $had >= $sent"
done

# IPsec in UDP over a narrow external link: what comes in whole goes out in fragments, and fragments in smaller ones.
ip -n gw link set ext mtu 1280
ip -n r link set to_gw mtu 1280
both_echoed "datagrams of 1,400 bytes" 20 --size 1400
both_echoed "datagrams of 1,600 bytes" 20 --size 1600
medium_pings() { on "$1" ping -q -c 20 -i 0.02 -W 3 -s 1400 -M dont "$web_address" > "$lab/ping-$1"; }
both medium_pings
for who in s1 s2; do
  assert "pings of 1,400 bytes of $who" "$(grep -c ' 20 received' "$lab/ping-$who") == 1"
done
assert_counter FRAGMENTED_BY_KERNEL -ge 80   # 20 datagrams of 1,400 bytes and 20 pings, each

sleep 0.3
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
assert_equal "datagrams lost on the way out" 0 "$(slow_path counters.send_failed)"
assert_counter SLOW_PATH_AWAY -eq 0
assert_counter FRAGMENT -ge 2000
natctl status > "$lab/status"
grep -q "^fragments .* datagrams whole" "$lab/status" || fail "natctl status says nothing of fragments"
assert_fragments_accounted
