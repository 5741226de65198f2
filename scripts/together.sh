#!/usr/bin/env bash
# Makes two lists of goals at the same time. The first is shown as it goes. The second takes only the time that the first
# leaves (a browser test waits a third of its time), and is shown when both are done. Fails where either fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
make=${MAKE:-make} first=$1 second=$2
log=$(mktemp)

# shellcheck disable=SC2086 # each of them is several words
nice -n 10 "$make" --no-print-directory $second >"$log" 2>&1 &
behind=$!
end() {
  kill "$behind" 2>/dev/null
  cat "$log"
  rm -f "$log"
}
trap end EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2086
"$make" --no-print-directory $first
failed=$?
wait "$behind" || failed=$?
exit "$failed"
