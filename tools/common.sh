# common.sh - what the tools share: where they are, and how they speak.
# Sourced, never run.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export root

if [[ -t 1 ]]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' plain=''
fi
export bold dim red green plain

die() { echo "${0##*/}: $*" >&2; exit 1; }

heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

need_root() { [[ $(id -u) -eq 0 ]] || die "needs root: sudo tools/${0##*/}"; }

# quietly LOG COMMAND... - runs it with its output in LOG; shows the end of LOG if it fails.
quietly() {
  local log=$1 status=0
  shift
  "$@" > "$log" 2>&1 || status=$?
  ((status == 0)) || { tail -n 40 "$log" >&2; return "$status"; }
}
