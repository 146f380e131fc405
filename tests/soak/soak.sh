#!/usr/bin/env bash
# soak.sh - the proof that the history is the truth: subscribers by the hundred thousand
# take and give back port blocks, while the agent is killed every second, the ring runs
# full, the disk runs full, and receivers hang, die and come back. A witness on the
# external side writes down who was seen behind which block; in the end the history, and
# what each sink's receiver got, must say the same, lease by lease.
#
# Run by tools/soak and the scenarios records_of_*.sh of tests/netns, which set:
#   SOAK_LEASES     blocks taken and given back: two events each
#   SOAK_ADDRESSES  external addresses, 1 to 256, 1,008 blocks each
#   SOAK_WINDOW     subscribers that want a block at once: the burst
#   SOAK_TROUBLE    seconds of trouble, at least: it goes on while blocks come back
#   SOAK_SECONDS    after so long it is given up
#   SOAK_STATE      size of the disk that is filled
#   SOAK_OPEN=yes   in the end blocks stay with their subscribers: nobody waits for their release
. "$(dirname -- "${BASH_SOURCE[0]}")/../netns/topology.sh"
set -euo pipefail
isolate "$0" "$@"
trap 'exit 124' TERM INT

leases=${SOAK_LEASES:-230000} addresses=${SOAK_ADDRESSES:-256} window=${SOAK_WINDOW:-225000}
seconds=${SOAK_SECONDS:-300} at_least=${SOAK_TROUBLE:-20}
first_subscriber=100.64.0.0 subscribers=524288
hold_down=2
soak=$root/tests/soak
state=$lab/state
declare -A times=()   # what was done, and how often

say() { printf '%6d s  %s\n' "$SECONDS" "$*"; }

# ---- the small world ----------------------------------------------------------------------

lay_soak() {
  namespaces s gw r
  forwarding gw
  connect gw sub1 s eth0
  connect gw ext r to_gw
  ip -n gw address add 192.0.2.129/25 dev sub1
  ip -n gw address add "$gateway_address/25" dev ext
  ip -n r address add "$router_address/25" dev to_gw
  ip -n gw route add 100.64.0.0/13 dev sub1
  ip -n gw route add default via "$router_address"
  # A neighbour that ages would be asked for in the midst of it.
  ip -n gw neighbour replace "$router_address" lladdr "$(mac_of r to_gw)" dev ext nud permanent
}

# A disk of its own, small enough to be filled.
lay_state() {
  mkdir -p "$state"
  mount -t tmpfs -o size="${SOAK_STATE:-1g},mode=755" tmpfs "$state"
}

configure_soak() {
  internal='["sub1"]' write_config << TOML
[[pool]]
name = "residential"
internal = ["100.64.0.0/13"]
external = [$(external_prefixes)]
block_size = 64
max_blocks = 1

[timeouts]
allow_below_rfc = true
udp = 2
block_idle = 1
hold_down = $hold_down

[[event_sink]]
type = "unix"
path = "$lab/siem.sock"
name = "siem"

[[event_sink]]
type = "http"
url = "http://127.0.0.1:8099/events"
name = "http"
TOML
}

# 198.51.100.0/24, or the first addresses of it.
external_prefixes() {
  local i list=
  ((addresses < 256)) || { echo '"198.51.100.0/24"'; return; }
  for ((i = 0; i < addresses; i++)); do list+="${list:+, }\"198.51.100.$i/32\""; done
  echo "$list"
}

# ---- what goes wrong ------------------------------------------------------------------------

count() { times[$1]=$((${times[$1]:-0} + 1)); }

start_receiver() {
  case $1 in
    siem) launch siem gw python3 "$soak/receiver.py" unix "$lab/siem.sock" "$lab/siem.jsonl" ;;
    http) launch http gw python3 "$soak/receiver.py" http 8099 "$lab/http.jsonl" ;;
  esac
}

signal() { if running "$1"; then kill "-$2" "${process[$1]}" 2> /dev/null || true; fi; }

launch_agent() {
  mkdir -p /run/apnat
  launch agent gw "$bin/apnatd" --config "$config"
}

kill_agent() {
  count "agent killed"
  end agent KILL 2> /dev/null || true
  launch_agent
}

fill_disk() {
  count "disk filled"
  dd if=/dev/zero of="$state/filler" bs=1M status=none 2> /dev/null || true
}

# receiver_trouble NAME PHASE - hangs, works again, dies, is there again.
receiver_trouble() {
  case $2 in
    2) count "$1 hung"; signal "$1" USR1 ;;
    6) signal "$1" USR2 ;;
    9) count "$1 killed"; end "$1" KILL 2> /dev/null || true ;;
    11) start_receiver "$1" ;;
  esac
}

# trouble TICK - one second's worth.
trouble() {
  local phase=$(($1 % 20))
  receiver_trouble siem $(($1 % 13))
  receiver_trouble http $((($1 + 6) % 13))
  case $phase in
    3) fill_disk ;;
    7) rm -f "$state/filler" ;;
    8 | 9 | 10 | 14 | 15 | 16) ;;   # long enough to begin, to work, and to die in the midst of it
    12) count "agent stopped for two seconds"; signal agent STOP ;;
    13) ;;
    *) kill_agent ;;
  esac
}

heal() {
  rm -f "$state/filler"
  [[ -z ${SOAK_OPEN:-} ]] || sed -i 's/^block_idle = .*/block_idle = 3600/' "$config"
  signal siem USR2
  signal http USR2
  running siem || start_receiver siem
  running http || start_receiver http
  end agent KILL 2> /dev/null || true
  launch_agent
}

# ---- the course of it ---------------------------------------------------------------------------

start_wire() {
  "$bin/soak_wire" --send-namespace /run/netns/s --send eth0 --wire-namespace /run/netns/r --wire to_gw \
    --gateway-mac "$(mac_of gw sub1)" --remote "$web_address" --first-subscriber "$first_subscriber" \
    --subscribers "$subscribers" --leases "$leases" --window "$window" --deadline "$seconds" \
    --truth "$lab/truth" > "$lab/wire.log" 2>&1 &
  process[wire]=$!
}

# Nobody sends any more: every block comes back, and everything is told.
is_settled() {
  [[ -n ${SOAK_OPEN:-} || $(natctl blocks --count 2> /dev/null) == 0 ]] || return 1
  natctl status --json | jq -e '[.events.sinks[].waiting] | add == 0' > /dev/null
}

settle() {
  local deadline=$((SECONDS + 300))
  until is_settled; do
    ((SECONDS < deadline)) || { natctl status >&2; echo "not settled after five minutes" >&2; return 1; }
    sleep 0.5
  done
}

# ask_samples - natctl trace, about packets that were seen. Who had the port at that microsecond must be one, and the
# right one. Others may be named too: this machine's clock need not be disciplined, and the answer says so.
ask_samples() {
  local address port at subscriber asked=0 right=0
  while read -r _ address port at subscriber; do
    asked=$((asked + 1))
    natctl trace "$address:$port/udp" --at "$at" --skew 0 --format json > "$lab/answer" 2> "$lab/why" || true
    if jq -e --arg who "$subscriber" --arg at "$at" \
        '[.candidates[] | select(.from <= $at and (.to == null or .to >= $at)) | .subscriber] == [$who]' \
        "$lab/answer" > /dev/null 2>&1; then
      right=$((right + 1))
    else
      echo "asked about $address:$port at $at, which was $subscriber: $(head -c 400 "$lab/answer" "$lab/why")"
    fi
  done < <(grep '^sample ' "$lab/judged")
  echo "natctl trace: $right of $asked answers right"
  ((asked > 0 && right == asked))
}

judge() {
  local status=0 what
  for what in "${!times[@]}"; do echo "$what: ${times[$what]}"; done | sort
  tail -n 1 "$lab/wire.log"
  echo "refused for want of a record: $(counter EVENT_RING_FULL) packets"
  end agent
  "$bin/soak_judge" ${SOAK_OPEN:+--open} --history "$state/history" --truth "$lab/truth" --stream "$events" --stream "$lab/siem.jsonl" \
    --stream "$lab/http.jsonl" --kills "${times[agent killed]:-0}" --hold-down-us "$((hold_down * 1000000))" --samples 50 > "$lab/judged" || status=1
  grep -v '^sample ' "$lab/judged"
  launch_agent
  wait_until natctl status
  ask_samples || status=1
  return "$status"
}

progress() {
  local what words=
  for what in "${!times[@]}"; do words+=", $what ${times[$what]}"; done
  echo "$(grep served "$lab/wire.log" | tail -n 1 | sed 's/^ *[0-9]* s *//')$words"
}

main() {
  local tick=0 wire=0
  lay_soak
  lay_state
  configure_soak
  start_receiver siem
  start_receiver http
  launch_agent
  wait_until natctl status
  say "$leases leases, $window wanted at once, on $addresses addresses"
  start_wire
  signal agent STOP   # the burst finds nobody at the ring
  sleep 2.5
  while running wire || ((tick < at_least)); do
    trouble "$tick"
    tick=$((tick + 1))
    sleep 1
    ((tick % 5)) || say "$(progress)"
  done
  wait "${process[wire]}" || wire=$?
  heal
  wait_until natctl status
  settle
  judge || return 1
  end agent
  return "$wire"
}

main
