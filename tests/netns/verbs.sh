# verbs.sh - what scenarios say. A scenario sources this first; from then on it
# runs in its own namespaces, stops at the first thing that is not as promised,
# and what it started dies with it.

. "$(dirname -- "${BASH_SOURCE[0]}")/topology.sh"
set -euo pipefail
isolate "$0" "$@"
set -E
trap 'blame $?' ERR
trap 'finish $?' EXIT
trap 'echo "ran out of time" >&2; exit 124' TERM INT
[[ -z ${APNAT_TRACE:-} ]] || set -x

blame() { echo "stopped (status $1) at ${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}: $BASH_COMMAND" >&2; }

finish() {
  local status=$1
  trap - ERR EXIT
  set +eE
  if ((status == 0)); then
    always_true || status=1
  fi
  ((status == 0)) || tell_state >&2
  exit "$status"
}

# What holds after every scenario, whatever it was about.
always_true() {
  events_are_valid || return 1
  natctl status > /dev/null 2>&1 || return 0
  local name
  for name in TABLE_MISSING REWRITE_FAILED UNKNOWN_INTERFACE TRUNCATED BAD_IPV4_HEADER BAD_IPV4_CHECKSUM \
              BAD_TRANSPORT_HEADER FORWARDING_OFF SUBSCRIBER_BUSY EVENT_RING_FULL; do
    assert_counter "$name" -eq "${allowed[$name]:-0}" || return 1
  done
}

# needs WHAT COMMAND... - a scenario that this kernel cannot stage is skipped, by
# trying and not by version. (Exit status 77 tells run.sh.)
needs() {
  "${@:2}" > /dev/null 2>&1 || { echo "this kernel has no $1"; trap - ERR EXIT; exit 77; }
}

declare -A allowed=()   # counter -> what a scenario brought about on purpose

events_are_valid() {
  [[ ! -s $events ]] || python3 "$here/valid_events.py" "$root/deploy/events.schema.json" "$events"
}

tell_state() {
  local log
  for log in "$lab"/*.log; do
    [[ -s $log ]] || continue
    printf -- '---- %s\n' "${log##*/}"
    tail -n 15 "$log"
  done
  if natctl status > /dev/null 2>&1; then
    printf -- '---- counters that are not zero\n'
    natctl counters --json | jq -c 'with_entries(select(.value > 0))'
  fi
  if [[ -s $events ]]; then
    printf -- '---- last events\n'
    tail -n 5 "$events"
  fi
}

# ---- assertions ---------------------------------------------------------------------

fail() { echo "not so: $*" >&2; return 1; }

# assert_equal WHAT EXPECTED ACTUAL
assert_equal() { [[ $2 == "$3" ]] || fail "$1: expected '$2', got '$3'"; }

# assert WHAT ARITHMETIC...
assert() { (( ${*:2} )) || fail "$1 (${*:2})"; }

# assert_counter NAME -ge|-eq|-le|-gt NUMBER
assert_counter() {
  local count
  count=$(counter "$1") || { fail "counter $1 cannot be read"; return 1; }
  test "$count" "$2" "$3" || fail "counter $1 is $count, wanted $2 $3"
}

# counter_is NAME -ge NUMBER - the same as a question, for wait_until.
counter_is() { test "$(counter "$1")" "$2" "$3"; }

# assert_exit STATUS COMMAND... - its output is left in $said.
assert_exit() {
  local status=0
  said=$("${@:2}" 2>&1) || status=$?
  ((status == $1)) || fail "'${*:2}' ended with $status, wanted $1; it said: $said"
}

# assert_says WORDS - the last assert_exit's command said so.
assert_says() { [[ ${said:-} == *"$1"* ]] || fail "expected words '$1' in: ${said:-}"; }

# assert_fast_path OUTBOUND INBOUND - at least so many were translated by the
# program itself. What falls to the kernel would arrive too, so arrival proves nothing.
assert_fast_path() {
  assert_counter TRANSLATED_OUTBOUND -ge "$1"
  assert_counter TRANSLATED_INBOUND -ge "$2"
}

# assert_fragments_accounted - since the agent's start each fragment that the program has punted was lost before the agent
# and counted, waits, or ended for one counted reason; and each datagram has one verdict and one end.
assert_fragments_accounted() {
  wait_until fragments_accounted || { natctl status --json | jq -c .slow_path >&2; return 1; }
}
fragments_accounted() {
  natctl status --json | jq -e --argjson punted "$(counter FRAGMENT)" '.slow_path
    | .counters as $c | .reassembly as $r | .socket_losses as $l | (.verdicts | add // 0) as $judged
    | (.verdicts | with_entries(select((.key | test("^TRANSLATED_|^HAIRPINNED|_BY_KERNEL|^NEIGHBOUR_PENDING|^TO_GATEWAY"
        + "|^NOT_OURS|^TTL_EXPIRED|^FRAGMENTATION_NEEDED|^INBOUND_TOO_BIG|^NO_ROUTE|^PORT_|^ADDRESS_EXHAUSTED|^RATE_LIMIT"))
        and .key != "PORT_ZERO")) | add // 0) as $not_dropped
    | $punted == $c.frames - $c.whole + $l.rx_dropped + $l.rx_ring_full
      and $c.frames == $c.whole + $c.malformed + $r.received
      and $r.received == $r.joined + $r.dup + $r.lost + .pending.internal.fragments + .pending.external.fragments
      and $r.datagrams + $c.whole == $judged + $c.translator_failed
      and $not_dropped == $c.forwarded + $c.by_kernel + $c.to_gateway + $c.send_failed + $c.icmp_sent
        + $c.icmp_suppressed + $c.icmp_silent'
}

# ---- questions ------------------------------------------------------------------------

# slow_path QUESTION - of what `natctl status` says of it, for jq; false where the answer is false or none.
slow_path() { natctl status --json | jq -e ".slow_path.$1"; }

# mappings [OPTION...] - what makes a mapping itself, in a stable order.
mappings() { natctl mappings --json "$@" | jq -c 'map(del(.idle_seconds, .state)) | sort_by(tostring)[]'; }

# event_count EVENT [JQ-CONDITION]
event_count() { jq -c "select(.event == \"$1\" and (${2:-true}))" "$events" | wc -l; }

has_event() { test "$(event_count "$@")" -gt 0; }

# in_pool ADDRESS - one of 198.51.100.0/29
in_pool() { [[ $1 =~ ^198\.51\.100\.[0-7]$ ]]; }

# received NAMESPACE [IFACE] - packets that came in.
received() { ip -n "$1" -j -s link show "${2:-eth0}" | jq '.[0].stats64.rx.packets'; }

# serve_echo NAMESPACE PORT [ADDRESS] - answers a datagram with who it came from.
serve_echo() {
  launch "echo-$1-$2" "$1" python3 "$here/who_am_i.py" serve "$2"
  wait_until listens "$1" udp "$2"
}

# seen_as NAMESPACE ADDRESS PORT [OPTION...] - how serve_echo sees us: "ADDRESS PORT" lines.
seen_as() { on "$1" python3 "$here/who_am_i.py" ask "${@:2}"; }
