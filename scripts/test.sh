#!/usr/bin/env bash
# Runs the tests against a stack of their own (.stack-test: own ports, own data) and takes it down
# whatever happens. The last line printed is pytest's; the exit code is pytest's.
#
#   scripts/test.sh [PYTEST ARGUMENTS]        default: tests/unit tests/integration tests/e2e
set -uo pipefail
cd "$(dirname "$0")/.."

state=$PWD/.stack-test
log=$(mktemp)
python=.venv/bin/python

stack() { $python -m libs.stack "$@"; }
cleanup() {
  stack down --state "$state" --purge >"$log" 2>&1 || cat "$log" >&2
  rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ! stack up --state "$state" >"$log" 2>&1; then
  cat "$log"
  exit 1
fi

if [ $# -eq 0 ]; then
  set --
  for folder in tests/unit tests/integration tests/e2e; do
    [ -d $folder ] && set -- "$@" $folder
  done
fi
export SPATIAL_ETL_ENV_FILE=$state/.env
$python -m pytest "$@" </dev/null
