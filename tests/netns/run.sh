#!/usr/bin/env bash
# run.sh [-v] [NAME...] - run scenarios (all of them, or those named), each in
# namespaces of its own. Prints `ok NAME` or `FAILED NAME` for each, and what a
# failed one said; `skipped NAME` where this kernel lacks something. -v: trace
# every command of the scenario.
#
#   APNAT_BIN       where apnatd and natctl are   (default: build/bin)
#   APNAT_PATIENCE  multiplies every wait         (default: 1)
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

if [[ ${1:-} == -v ]]; then
  export APNAT_TRACE=yes
  shift
fi

names=("$@")
if ((${#names[@]} == 0)); then
  for file in "$here"/scenarios/*.sh; do
    names+=("$(basename "$file" .sh)")
  done
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0

# tell STATUS NAME SECONDS
tell() {
  case $1 in
    0) passed=$((passed + 1)); echo "ok $2 ($3 s)" ;;
    77) echo "skipped $2: $(tail -n 1 "$log")" ;;
    *) failed=$((failed + 1)); echo "FAILED $2 ($3 s)"; tail -n 60 "$log" | sed 's/^/    /' ;;
  esac
}

for name in "${names[@]}"; do
  script=$here/scenarios/$name.sh
  [[ -f $script ]] || { echo "run.sh: no scenario '$name'" >&2; exit 2; }
  start=$SECONDS
  status=0
  timeout --kill-after=10 "$((120 * ${APNAT_PATIENCE:-1}))" bash "$script" > "$log" 2>&1 < /dev/null || status=$?
  tell "$status" "$name" "$((SECONDS - start))"
done
echo "scenarios: $passed passed, $failed failed"
((failed == 0))
