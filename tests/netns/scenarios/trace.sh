#!/usr/bin/env bash
# trace.sh - who had this address and port: asked while the traffic is fresh, after the
# agent was killed, by rule where no event was written, and by someone who may not ask.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[[pool]]
name = "blocks"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]

[[pool]]
name = "computed"
internal = ["100.64.2.0/24"]
external = ["198.51.100.4/30"]
assignment = "deterministic"
TOML
# A group of this scenario's own, whatever the machine has.
grep -v '^apnat:' /etc/group > "$lab/group"
echo "apnat:x:64200:" >> "$lab/group"
mount --bind "$lab/group" /etc/group
start_agent
serve_echo web 7000

now() { date -u +%Y-%m-%dT%H:%M:%S.%6NZ; }
trace() { natctl trace --format json "$@"; }

for subscriber in 1 2; do
  seen_as "s$subscriber" "$web_address" 7000 --count 1 > "$lab/seen.$subscriber"
  read -r address port < "$lab/seen.$subscriber"
  at=$(now)
  sleep 0.2
  trace "$address:$port/tcp" --at "$at" --skew 0 > "$lab/answer.json"
  assert_equal "verdict on s$subscriber" unique "$(jq -r .verdict "$lab/answer.json")"
  assert_equal "named for s$subscriber" "100.64.$subscriber.2" "$(jq -r '.candidates[0].subscriber' "$lab/answer.json")"
  assert_equal "covered" true "$(jq -r .coverage.complete "$lab/answer.json")"
  echo "$address:$port/tcp $at" > "$lab/asked.$subscriber"
done
assert_equal "events of the computed pool" 0 "$(event_count port_block_assigned '.pool == "computed"')"
assert_equal "before the history" unknown "$(trace "$address:$port" --at 2020-01-01T00:00:00Z | jq -r .verdict)"
assert_equal "an address without ports" none "$(trace 203.0.113.99:5000/tcp --at "$at" | jq -r .verdict)"

# What was recorded outlives the agent.
end agent KILL || true
start_agent
for subscriber in 1 2; do
  read -r place at < "$lab/asked.$subscriber"
  assert_equal "after the kill, s$subscriber" "100.64.$subscriber.2" \
    "$(trace "$place" --at "$at" | jq -r 'select(.verdict == "unique").candidates[0].subscriber')"
done
assert "a subscriber's ports" "$(natctl trace --subscriber 100.64.1.2 --from "$at" --to "$(now)" --format csv | wc -l) >= 2"
natctl trace "$place" --at "$at" | grep -q "unique: 100.64.2.2"

# Each question is an event that says who asked.
wait_until has_event trace_asked '.uid == 0 and (.query | startswith("'"$place"'"))'

# Who is not in the group may not ask: the socket is not his to open, and if it were, the agent looks who he is.
cp "$bin/natctl" "$lab/natctl"
chmod 755 "$lab/natctl"
ask_as_nobody() { setpriv --reuid=65534 --regid=65534 "$1" "$lab/natctl" trace "$place" --at "$at"; }
assert_equal "the socket" "660 root apnat" "$(stat -c '%a %U %G' /run/apnat/apnatd.sock)"
assert_exit 1 ask_as_nobody --clear-groups
assert_says "permission denied"
assert_says "group apnat"
chmod 666 /run/apnat/apnatd.sock
assert_exit 1 ask_as_nobody --clear-groups
assert_says "permission denied"
assert_says "65534"
assert_says "neither root nor in group apnat"
chmod 660 /run/apnat/apnatd.sock
assert_equal "questions of nobody's so far" 0 "$(event_count trace_asked '.uid == 65534')"
ask_as_nobody --groups=64200 | grep -q "unique: 100.64.2.2"
wait_until has_event trace_asked '.uid == 65534 and .user == "nobody" and (.query | startswith("'"$place"'"))'
assert_equal "questions of a member's" 1 "$(event_count trace_asked '.uid == 65534')"
assert_equal "words that are wrong" 2 "$(natctl trace 198.51.100.1 --at yesterday 2> "$lab/why"; echo $?)"
grep -q "RFC 3339" "$lab/why"
assert_equal "files others may read" "" "$(find "$lab" -path '*/history/*' -perm /007)"
