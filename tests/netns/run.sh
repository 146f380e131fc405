#!/usr/bin/env bash
# run.sh [-v] [NAME...] - run scenarios (all of them, or those named), each in
# namespaces of its own. Prints `ok NAME` or `FAILED NAME` for each, and what a
# failed one said. -v: trace every command of the scenario.
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
for name in "${names[@]}"; do
  script=$here/scenarios/$name.sh
  [[ -f $script ]] || { echo "run.sh: no scenario '$name'" >&2; exit 2; }
  start=$SECONDS
  if timeout --kill-after=10 "$((120 * ${APNAT_PATIENCE:-1}))" bash "$script" > "$log" 2>&1 < /dev/null; then
    passed=$((passed + 1))
    echo "ok $name ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    echo "FAILED $name ($((SECONDS - start)) s)"
    tail -n 60 "$log" | sed 's/^/    /'
  fi
done
echo "scenarios: $passed passed, $failed failed"
((failed == 0))
