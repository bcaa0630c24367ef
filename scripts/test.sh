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
beside= # the process of the tests that run beside the others
quietly() { "$@" >"$output" 2>&1 9>&- || { cat "$output" >&2; return 1; }; }
# shellcheck disable=SC2329  # and quietly this
stack() { $python -m libs.stack "$@" --state "$state"; }
# shellcheck disable=SC2329  # trap calls it
finish() {
  local code=$?
  [ -z "$beside" ] || kill "$beside" 2>/dev/null
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

# Two lanes. What works on the shared stack goes one after the other: the auditor's tests would clean up
# what Dagster's runs are at. Beside it goes what needs no stack, and some of what starts its own, so that
# both lanes take about as long. A third lane saved little on two cores, and tests waited in vain. Of the
# hostile cases, a part (`make torture`: all).
no_shared_stack=(tests/e2e/test_stack_faults.py tests/e2e/test_fresh_stacks.py tests/integration/stack
  tests/unit tests/faults)
others=(tests/e2e tests/integration tests/hostile "${no_shared_stack[@]/#/--ignore=}")
export HOSTILE_CASES=${HOSTILE_CASES:-1}

failed=0
side=$(mktemp) main=$(mktemp)
# Without `env`, SIGINT would be ignored by all that is started in the background, down to the servers.
env --default-signal=INT,QUIT $python -m pytest "${no_shared_stack[@]}" -m "not torture" \
  >"$side" 2>&1 </dev/null 9>&- &
beside=$!
tests "${others[@]}" -m "not torture" | tee "$main" || failed=1
wait "$beside" || failed=1
beside=
cat "$side"
# What failed in the lane that was printed first, again: of a long log, often only the end is kept.
[ "$failed" -eq 0 ] || grep -E '^(E  |FAILED |ERROR )' "$main" | cut -c 1-300 | tail -n 20
tail -n 1 "$main"
rm -f "$side" "$main"
exit $failed
