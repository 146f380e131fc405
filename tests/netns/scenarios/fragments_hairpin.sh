#!/usr/bin/env bash
# fragments_hairpin.sh - [FRAG-1] [ID-7] [UDP-15] [UDP-16] [UDP-17] datagrams in fragments from one subscriber to
# another's external endpoint, of a forward and of a mapping, and to a subscriber's own: turned round in the gateway,
# whole, each side sees the other's external endpoint, and IDs are the gateway's.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
{ common_pool; common_forward udp 198.51.100.5:7000 100.64.1.2:7001; } | write_config
start_agent
launch outside r tcpdump -lnni to_gw --immediate-mode "net $pool_prefix and not host $web_address"
launch inside s1 tcpdump -i eth0 -s 64 -w "$lab/inside.pcap" --immediate-mode "dst 100.64.1.2 and udp"
wait_until grep -q "listening on" "$lab/outside.log"
wait_until grep -q "listening on" "$lab/inside.log"
on s1 ping -q -c 1 -W 3 100.64.1.1   # the neighbours are known
on s2 ping -q -c 1 -W 3 100.64.2.1

# s1 serves behind the forward, and behind a mapping that it opens by asking.
launch by-forward s1 python3 "$here/fragments.py" serve 7001 --order reverse
wait_until listens s1 udp 7001
serve_echo web 7000
read -r address port <<< "$(seen_as s1 "$web_address" 7000 --source-port 41000)"
launch by-mapping s1 python3 "$here/fragments.py" serve 41000 --order shuffled --mtu 1300
wait_until listens s1 udp 41000

# exchange WHO ADDRESS PORT OPTION... - everything with one and the same ID.
exchange() { on "$1" python3 "$here/fragments.py" exchange "$2" "$3" --id 7 "${@:4}"; }
# both_ways WHAT COUNT OPTION...
both_ways() {
  assert_equal "$1, by a forward" "$2 of $2 echoed" "$(exchange s2 198.51.100.5 7000 --count "$2" "${@:3}")"
  assert_equal "$1, by a mapping" "$2 of $2 echoed" "$(exchange s2 "$address" "$port" --count "$2" "${@:3}")"
}
both_ways "two fragments" 5 --size 2900
both_ways "3,000 bytes" 20 --size 3000 --order reverse
both_ways "8,000 bytes" 20 --size 8000 --order shuffled
assert_equal "to its own external endpoint" "5 of 5 echoed" "$(exchange s1 198.51.100.5 7000 --count 5 --size 5000)"

# Each side knows the other's external endpoint only.
endpoint_of() { mappings --subscriber "$1" --protocol udp | jq -r 'select(.internal_port == 40000)
  | "\(.external_address) \(.external_port)"'; }
assert_equal "the senders that the server knew" "$({ endpoint_of 100.64.2.2; endpoint_of 100.64.1.2; } | sort)" \
  "$(sort -u "$lab/by-forward.log")"
assert_equal "the sender that the mapping's holder knew" "$(endpoint_of 100.64.2.2)" "$(sort -u "$lab/by-mapping.log")"

assert_fragments_accounted
# 45 exchanges with the forward, 45 with the mapping, 5 with itself; each there and back.
assert_equal "datagrams turned round" 190 "$(slow_path 'verdicts.HAIRPINNED // 0')"
assert_equal "by AF_XDP" 190 "$(slow_path counters.forwarded)"
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
end inside INT || true
python3 "$here/ids_seen.py" "$lab/inside.pcap" 120 > "$lab/ids"
assert_equal "datagrams towards s1" "fragmented=100 broken=0 repeated=0" \
  "$(grep -E '^(fragmented|broken|repeated)=' "$lab/ids" | xargs)"
end outside || true
assert_equal "packets seen outside" 0 "$(grep -c 'IP ' "$lab/outside.log")"

# Over a link that is narrower: cut to fit; and what may not be cut is told to its sender.
ip -n gw link set sub1 mtu 1300
ip -n s1 link set eth0 mtu 1300
assert_equal "over a narrow link" "5 of 5 echoed" "$(exchange s2 "$address" "$port" --count 5 --size 4000)"
launch told s2 tcpdump -lnni eth0 --immediate-mode icmp
wait_until grep -q "listening on" "$lab/told.log"
on s2 python3 "$here/fragments.py" flood "$address" "$port" --size 3000 --df --count 1 > /dev/null
wait_until grep -q "100.64.2.1 > 100.64.2.2: ICMP $address unreachable - need to frag (mtu 1300)" "$lab/told.log"
assert_equal "the DF datagram has not arrived" 50 "$(wc -l < "$lab/by-mapping.log")"
assert_fragments_accounted
