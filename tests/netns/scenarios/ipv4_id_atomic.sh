#!/usr/bin/env bash
# ipv4_id_atomic.sh - [ID-1] [ID-2] [ID-3] [ID-4] the ID of what is atomic (whole, DF=1) means nothing: outside it is what
# `[ipv4_id] atomic` says, DF stays, and packets with the ID of a datagram that is being put together go by at once and
# change nothing in it.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
configuration() { common_pool; printf '[ipv4_id]\natomic = "%s"\n' "$1"; }
configuration keep | write_config
start_agent
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
for who in s1 s2; do on "$who" ping -q -c 1 -W 3 "$web_address" > "$lab/ping"; done
launch seen r tcpdump -lnvi to_gw --immediate-mode "udp and dst $web_address and ip[6] & 0x40 != 0"
wait_until grep -q "listening on" "$lab/seen.log"
waiting() { natctl status --json | jq -e '.slow_path.pending.internal.datagrams == 1' > /dev/null; }

# ids_of_atomic - of both subscribers, 20 packets each, sent with one and the same ID: those seen outside, each once. In
# the middle of a datagram of that ID.
ids_of_atomic() {
  local who
  : > "$lab/seen.log"
  launch exchange s1 python3 "$here/fragments.py" exchange "$web_address" 7000 --id 4660 --pause 1
  wait_until waiting
  for who in s1 s2; do
    on "$who" python3 "$here/fragments.py" flood "$web_address" 9000 --id 4660 --df --size 64 --count 20 > /dev/null
  done
  wait_until all_seen
  waiting || fail "the datagram did not wait for its last fragment"
  wait "${process[exchange]}"
  assert_equal "the datagram of that ID" "1 of 1 echoed" "$(tail -n 1 "$lab/exchange.log")"
  ! grep 'bad cksum' "$lab/seen.log" || fail "a header checksum is wrong"
  grep -o ' id [0-9]*' "$lab/seen.log" | awk '{ print $2 }' | sort -n | uniq
}
all_seen() { test "$(grep -c 'flags \[DF\]' "$lab/seen.log")" -eq 40; }

assert_equal "keep" 4660 "$(ids_of_atomic)"
for policy in "zero 0" "low4 4"; do
  configuration "${policy% *}" | write_config
  assert_exit 0 natctl reload
  assert_equal "${policy% *}" "${policy#* }" "$(ids_of_atomic)"
done
configuration random | write_config
assert_exit 0 natctl reload
assert "random: different ones of 40" "$(ids_of_atomic | wc -l) > 35"
