#!/usr/bin/env bash
# ipv4_id_unique.sh - [ID-5] [ID-7] [ID-8] [ID-10] [ID-15] [SHARE-35] [UPD-20] what a capture outside shows of two
# subscribers that use one and the same ID for everything, DF=0, whole and in fragments. At all but the promised rate no
# (source, destination, protocol) repeats an ID within the interval, nothing is counted and nothing is missing. Above it
# happens what each policy says; the counters agree with the capture to the packet, and the events with the counters.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

promised=64512   # IDs in an interval towards one (source, destination, protocol): docs/fragments.md
interval=5       # seconds
all_ids=65536
slack=2          # two processors may take the last ID of a lap at the same moment

lay_out
configuration() {
  cat << TOML
[[pool]]
name = "one_address"
internal = ["100.64.0.0/16"]
external = ["198.51.100.1/32"]
[ipv4_id]
uniqueness_seconds = $interval
on_repeat = "$1"
TOML
}
configuration count | write_config
start_agent
# Destinations of which none has had an ID yet.
for n in 81 82; do ip -n web address add "203.0.113.$n/26" dev eth0; done
for who in s1 s2; do
  for n in 80 81 82 53; do on "$who" ping -q -c 1 -W 3 "203.0.113.$n" > "$lab/ping"; done   # the neighbours are known
done

# totals - what the gateway has counted so far, one `name=number` a line.
totals() {
  natctl status --json | jq -r '.slow_path | "counted=\(.ids_repeated)", "made_atomic=\(.ids_made_atomic)",
    "exhausted_in_fragments=\(.verdicts.IPV4_ID_EXHAUSTED // 0)", "fragments_lost=\(.reassembly.lost)"'
  echo "exhausted_whole=$(counter IPV4_ID_EXHAUSTED)"
}

# capture NAME DESTINATION RATE SECONDS - so many datagrams a second from both subscribers together, 400 of them in
# fragments. What was sent, seen outside and counted meanwhile is in `of`.
declare -A of
capture() {
  local who senders=() name number
  declare -A had
  while IFS="=" read -r name number; do had[$name]=$number; done < <(totals)
  launch "$1" r tcpdump -i to_gw -w "$lab/$1.pcap" -s 64 -B 131072 --immediate-mode "src 198.51.100.1 and udp"
  wait_until grep -q "listening on" "$lab/$1.log"
  for who in s1 s2; do
    flood "$who" "$2" --size 64 --rate "$((($3 - 400) / 2))" --seconds "$4" > "$lab/whole-$who" & senders+=($!)
    flood "$who" "$2" --size 3000 --rate 200 --seconds "$4" --source-port 40001 > "$lab/cut-$who" & senders+=($!)
  done
  wait "${senders[@]}"
  sleep 0.5
  end "$1" INT || true
  assert "packets missing in the capture" "$(awk '/dropped by kernel/ { print $1 }' "$lab/$1.log") == 0"
  while IFS="=" read -r name number; do of[$name]=$number; done < <(python3 "$here/ids_seen.py" "$lab/$1.pcap" "$interval")
  while IFS="=" read -r name number; do of[$name]=$((number - ${had[$name]})); done < <(totals)
  of[sent_whole]=$(cat "$lab"/whole-s? | awk '{ sum += $1 } END { print sum }')
  of[sent_fragmented]=$(cat "$lab"/cut-s? | awk '{ sum += $1 } END { print sum }')
  for name in "${!of[@]}"; do printf '%s: %s %s\n' "$1" "$name" "${of[$name]}"; done | sort
  nothing_else
}
flood() { on "$1" python3 "$here/fragments.py" flood "$2" 9000 --id 7 "${@:3}"; }

# What was sent has arrived, all pieces of a datagram under one ID, or was dropped for want of an ID, and counted.
nothing_else() {
  assert_equal "fragments that are of no datagram" 0 "${of[broken]}"
  assert_equal "fragments lost before they were whole" 0 "${of[fragments_lost]}"
  assert_equal "whole datagrams outside" $((of[sent_whole] - of[exhausted_whole])) $((of[whole] + of[atomic]))
  assert_equal "datagrams in fragments outside" $((of[sent_fragmented] - of[exhausted_in_fragments])) "${of[fragmented]}"
  assert_equal "IDs repeated by datagrams in fragments" 0 "${of[repeated_fragmented]}"
}
# near WHAT EXPECTED ACTUAL
near() { assert "$1: $3, and not $2" "($3) - ($2) <= $slack && ($2) - ($3) <= $slack"; }
assert_none() { local name; for name in "$@"; do assert_equal "$name" 0 "${of[$name]}"; done; }

# At all but the promised rate, for longer than 65,536 IDs last.
capture below "$web_address" $((promised * 92 / 100 / interval)) 7.5
assert "IDs given" "of[whole] + of[fragmented] > all_ids + 8192"
assert "most datagrams in an interval, of $promised promised" "of[most] > promised * 85 / 100 && of[most] <= promised"
assert_none repeated counted made_atomic atomic exhausted_whole exhausted_in_fragments
assert_equal "events" 0 "$(event_count ipv4_id_repeated)"

# Above it, "count": what leaves whole repeats IDs once all were given, each is counted; what leaves in fragments is dropped.
above=$((2 * promised / interval))
capture count "$dns_address" "$above" 4
near "IDs repeated" "of[whole] + of[fragmented] - all_ids" "of[repeated]"
near "counted" "of[repeated]" "of[counted]"
assert "IDs repeated" "of[repeated] > 2000"
assert "dropped in fragments" "of[exhausted_in_fragments] > 50"
assert_none atomic made_atomic exhausted_whole
repeats=${of[counted]}
wait_until has_event ipv4_id_repeated '.external_address == "198.51.100.1" and .protocol == "udp"'

# "drop": none repeats, what is missing is counted; and when the first IDs are old enough they are given again.
configuration drop | write_config
natctl reload
capture drop 203.0.113.81 "$above" $((interval + 2))
assert "given anew, the first of them being old enough" "of[whole] + of[fragmented] > all_ids + 5000"
assert "dropped" "of[exhausted_whole] > 2000 && of[exhausted_in_fragments] > 50"
near "IDs repeated" 0 "of[repeated]"
assert_none counted atomic made_atomic

events_of_count=$(event_count ipv4_id_repeated)

# "make_atomic": each ID once, then DF=1; what leaves in fragments cannot, and is dropped.
configuration make_atomic | write_config
natctl reload
capture make_atomic 203.0.113.82 "$above" 4
near "IDs given" "$all_ids" "of[whole] + of[fragmented]"
assert_equal "made atomic" "${of[atomic]}" "${of[made_atomic]}"
assert "made atomic" "of[atomic] > 2000"
assert "dropped in fragments" "of[exhausted_in_fragments] > 50"
near "IDs repeated" 0 "of[repeated]"
near "dropped whole" 0 "of[exhausted_whole]"
assert_none counted

# An event a second, and each says how many it did not tell: all of "count" are told by the first one of "make_atomic", which
# tells of one more.
later() { test "$(event_count ipv4_id_repeated)" -gt "$events_of_count"; }
wait_until later
near "repeats told" "$repeats" "$(jq -s --argjson n "$events_of_count" \
  'map(select(.event == "ipv4_id_repeated") | 1 + .suppressed)[:$n + 1] | add - 1' "$events")"
assert_fragments_accounted
