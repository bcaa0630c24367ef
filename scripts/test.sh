#!/usr/bin/env bash
# Runs the tests against a stack of their own (.stack-test: own ports, own data) and takes it down
# whatever happens. The last line printed is pytest's; the exit code is not 0 when a test failed.
# After a failure the servers' logs are in .stack-test-logs.
#
#   scripts/test.sh [PYTEST ARGUMENTS]        default: all of tests/
set -uo pipefail
cd "$(dirname "$0")/.." || exit

state=$PWD/.stack-test
kept_logs=$PWD/.stack-test-logs
python=.venv/bin/python

exec 9>.venv/.test-lock
flock --nonblock 9 || { echo "Another \`make test\` runs in this checkout; wait for it." >&2; exit 1; }

output=$(mktemp)
beside=() # the processes of the tests that run beside the others
quietly() { "$@" >"$output" 2>&1 9>&- || { cat "$output" >&2; return 1; }; }
# shellcheck disable=SC2329  # and quietly this
stack() { $python -m libs.stack "$@" --state "$state"; }
# shellcheck disable=SC2329  # trap calls it
finish() {
  local code=$?
  [ ${#beside[@]} -eq 0 ] || kill "${beside[@]}" 2>/dev/null
  rm -rf "$kept_logs"
  [ "$code" -eq 0 ] || cp -r "$state/logs" "$kept_logs" 2>/dev/null
  quietly stack down --purge
  rm -f "$output"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

quietly stack down --purge || exit 1 # what a run that was killed left behind
# The tests' schemas belong to no run, so the auditor must not come round on its schedule.
quietly $python -c '
import sys
from pathlib import Path
from libs.stack.paths import StackPaths
paths = StackPaths.of(Path(sys.argv[1]))
paths.make()
(paths.state / "own.env").write_text("ETL_AUDIT_CRON=\"0 0 1 1 *\"\n")
' "$state" || exit 1
quietly stack up || exit 1

export SPATIAL_ETL_ENV_FILE=$state/.env
tests() { $python -m pytest "$@" </dev/null 9>&-; }

if [ $# -gt 0 ]; then
  tests "$@"
  exit
fi

# What measures how quick a run is has the machine for itself. Then three go on at once, since each of
# them waits a lot: what has stacks of its own, what Dagster does, and all others; of the hostile
# cases, a part (`make torture`: all).
alone=(tests/integration/ingest/test_speed_does_not_regress.py)
with_dagster=(tests/e2e/test_whole_way.py tests/e2e/test_secrets_in_dagster.py)
own_stacks=(tests/faults)
for file in tests/e2e/test_*.py; do
  [[ " ${with_dagster[*]} " == *" $file "* ]] || own_stacks+=("$file")
done
export HOSTILE_CASES=${HOSTILE_CASES:-1}

aside() { # TESTS...: beside the others; what they say is shown at the end
  local log
  log=$(mktemp)
  $python -m pytest "$@" -m "not torture" >"$log" 2>&1 </dev/null 9>&- &
  beside+=("$!")
  logs+=("$log")
}

failed=0
tests "${alone[@]}" || failed=1
logs=()
aside "${own_stacks[@]}"
aside "${with_dagster[@]}" tests/unit
main=$(mktemp)
tests tests/integration tests/hostile -m "not torture" "${alone[@]/#/--ignore=}" | tee "$main" || failed=1
for process in "${beside[@]}"; do wait "$process" || failed=1; done
beside=()
cat "${logs[@]}"
tail -n 1 "$main"
rm -f "${logs[@]}" "$main"
exit $failed
