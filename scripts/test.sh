#!/usr/bin/env bash
# Runs the tests against a stack of their own (.stack-test: own ports, own data) and takes it down
# whatever happens. The last line printed is pytest's; the exit code is pytest's. After a failure
# the servers' logs are in .stack-test-logs.
#
#   scripts/test.sh [PYTEST ARGUMENTS]        default: tests/unit tests/integration tests/e2e
set -uo pipefail
cd "$(dirname "$0")/.."

state=$PWD/.stack-test
kept_logs=$PWD/.stack-test-logs
python=.venv/bin/python

exec 9>.venv/.test-lock
flock --nonblock 9 || { echo "Another \`make test\` runs in this checkout; wait for it." >&2; exit 1; }

output=$(mktemp)
quietly() { "$@" >"$output" 2>&1 9>&- || { cat "$output" >&2; return 1; }; }
stack() { $python -m libs.stack "$@" --state "$state"; }
finish() {
  local code=$?
  rm -rf "$kept_logs"
  [ $code -eq 0 ] || cp -r "$state/logs" "$kept_logs" 2>/dev/null
  quietly stack down --purge
  rm -f "$output"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

quietly stack down --purge || exit 1 # what a run that was killed left behind
quietly stack up || exit 1

if [ $# -eq 0 ]; then
  for folder in tests/unit tests/integration tests/e2e; do
    [ -d $folder ] && set -- "$@" $folder
  done
fi
SPATIAL_ETL_ENV_FILE=$state/.env $python -m pytest "$@" </dev/null 9>&-
