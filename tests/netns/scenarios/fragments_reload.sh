#!/usr/bin/env bash
# fragments_reload.sh - [FRAG-5] a reload loads other programs and gives fragments other limits; datagrams of which a part
# is there become whole all the same.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
common_pool | write_config
start_agent
launch echo web python3 "$here/fragments.py" serve 7000
wait_until listens web udp 7000
waiting() { test "$(slow_path pending.internal.datagrams)" -eq 2; }
half() { launch "half-$1" "$1" python3 "$here/fragments.py" exchange "$web_address" 7000 --size 8000 "${@:2}"; }

half s1 --order reverse --pause 3
half s2 --order shuffled --pause 3
wait_until waiting
{
  common_pool
  cat << TOML
max_blocks = 2
[ipv4_id]
atomic = "zero"
uniqueness_seconds = 60
[fragments]
timeout = 8
per_source = 32
overlap = "first_wins"
TOML
} | write_config
assert_exit 0 natctl reload
assert_says fragments.timeout
waiting || fail "what was being put together is gone"
for who in s1 s2; do
  wait "${process[half-$who]}"
  assert_equal "of $who" "1 of 1 echoed" "$(tail -n 1 "$lab/half-$who.log")"
done
assert_equal "fragments lost" 0 "$(slow_path reassembly.lost)"
