#!/usr/bin/env bash
# ipv4_id_unique.sh - [ID-5] [ID-7] [ID-8] what a capture outside shows: two subscribers that use one and the same ID for
# everything, DF=0, whole and in fragments, come out with IDs that no (source, destination, protocol) repeats within the
# interval, as long as 16 bits allow. Beyond, what the policy says, and the counter knows of each repeat.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

interval=5    # 65,536 IDs in 5 s: 13,107 packets a second
lay_out
{
  cat << TOML
[[pool]]
name = "one_address"
internal = ["100.64.0.0/16"]
external = ["198.51.100.1/32"]
[ipv4_id]
uniqueness_seconds = $interval
TOML
} | write_config
start_agent
slow_path() { natctl status --json | jq ".slow_path.$1 // 0"; }
on s1 ping -q -c 1 -W 3 "$web_address"   # the neighbours are known
on s2 ping -q -c 1 -W 3 "$web_address"

# capture NAME RATE SECONDS - both subscribers send so many packets a second in all, and 100 fragmented datagrams each.
capture() {
  launch "$1" r tcpdump -i to_gw -w "$lab/$1.pcap" -s 64 -B 131072 --immediate-mode "src 198.51.100.1 and udp"
  wait_until grep -q "listening on" "$lab/$1.log"
  local who senders=()
  for who in s1 s2; do
    on "$who" python3 "$here/fragments.py" flood "$web_address" 9000 --id 7 --size 64 --rate "$(($2 / 2))" \
      --seconds "$3" > /dev/null & senders+=($!)
    on "$who" python3 "$here/fragments.py" flood "$web_address" 9000 --id 7 --size 3000 --rate 100 --seconds "$3" \
      --source-port 40001 > /dev/null & senders+=($!)
  done
  wait "${senders[@]}"
  sleep 0.5
  end "$1" INT || true
  assert "packets missing in the capture" "$(awk '/dropped by kernel/ { print $1 }' "$lab/$1.log") == 0"
  read -r datagrams fragmented repeated busiest <<< "$(python3 "$here/ids_seen.py" "$lab/$1.pcap" "$interval")"
  echo "$1: $datagrams datagrams, $fragmented in fragments, $repeated repeated, at most $busiest a second"
}

# Below the rate, for longer than the 65,536 last.
capture below 9000 9
assert "packets below the rate" "$datagrams > 66000"
assert "in fragments" "$fragmented > 1000"
assert_equal "IDs repeated below the rate" 0 "$repeated"
assert_equal "and counted" 0 "$(slow_path ids_repeated)"
assert_equal "refused for want of an ID" 0 "$(slow_path verdicts.IPV4_ID_EXHAUSTED)"

# Above it: those that leave whole repeat, and are counted; those in fragments are dropped rather.
capture above 24000 5
counted=$(slow_path ids_repeated)
assert "IDs repeated above the rate" "$repeated > 1000"
assert "the counter ($counted) knows of each repeat ($repeated)" "$counted >= $repeated"
# An ID counts as used when the last of its eighth was: by that much the counter may be early.
assert "the counter ($counted) knows of not many more ($repeated)" "$counted <= $repeated + 3 * 8192"
assert "datagrams in fragments without an ID" "$(slow_path verdicts.IPV4_ID_EXHAUSTED) > 100"
wait_until has_event ipv4_id_repeated '.external_address == "198.51.100.1"'
