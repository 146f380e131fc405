#!/usr/bin/env bash
# mapping_log.sh - a pool that logs mappings tells of each one's beginning and
# end; destinations only where the operator asked for them.
. "$(dirname -- "${BASH_SOURCE[0]}")/../verbs.sh"

lay_out
write_config << TOML
[timeouts]
allow_below_rfc = true
udp = 1

[[pool]]
name = "logged"
internal = ["100.64.1.0/24"]
external = ["198.51.100.0/30"]
log = "mappings"

[[pool]]
name = "logged_fully"
internal = ["100.64.2.0/24"]
external = ["198.51.100.4/30"]
log = "mappings_with_destination"
TOML
start_agent
serve_echo web 7000
# To ask for destinations is on record itself.
wait_until has_event config_applied '.parameters | contains("log pool=logged_fully what=mappings_with_destination")'

read -r address port <<< "$(seen_as s1 "$web_address" 7000 --source-port 40000)"
wait_until has_event mapping_created ".pool == \"logged\" and .internal_address == \"100.64.1.2\" and
  .internal_port == 40000 and .external_address == \"$address\" and .external_port == $port and .protocol == \"udp\""
wait_until has_event mapping_deleted ".external_address == \"$address\" and .external_port == $port"
assert_equal "destinations told unasked" 0 "$(event_count mapping_created '.pool == "logged" and (tostring | contains("203.0.113.80"))')"

seen_as s2 "$web_address" 7000 > "$lab/seen"
wait_until has_event mapping_created '.pool == "logged_fully" and (tostring | contains("203.0.113.80"))'

# Who no longer logs mappings ends the records of those that live; who logs again tells of none that was never told of.
sed -i 's/^udp = 1$/udp = 300/' "$config"
natctl reload > /dev/null
read -r address port <<< "$(seen_as s1 "$web_address" 7000 --source-port 40001)"
wait_until has_event mapping_created ".internal_port == 40001"
sed -i '/^log = /d' "$config"
natctl reload > /dev/null
wait_until has_event mapping_deleted \
  ".external_address == \"$address\" and .external_port == $port and .reason == \"no_longer_logged\""
seen_as s1 "$web_address" 7000 --source-port 40002 > "$lab/seen"
sed -i -e 's/^udp = 300$/udp = 1/' -e 's/^name = "logged"$/&\nlog = "mappings"/' "$config"
natctl reload > /dev/null
sleep 2
seen_as s1 "$web_address" 7000 --source-port 40003 > "$lab/seen"
wait_until has_event mapping_deleted ".internal_port == 40003"
assert_equal "ends of what was never told of" 0 "$(event_count mapping_deleted '.internal_port == 40002')"
