#!/usr/bin/env bash
# The fault and hostile suites at length: 2 000 runs under faults, 2 000 damaged files and manifests, every
# foreign file that can be had, and the tests that only wait. Hours. The tables go to torture/, beside what pytest says.
#
#   FAULT_LANES=4 FAULT_SEED=2 scripts/torture.sh
set -uo pipefail
cd "$(dirname "$0")/.." || exit

mkdir -p torture
export FAULT_LONG=1 FAULT_CALLS=${FAULT_CALLS:-900} FAULT_LANES=${FAULT_LANES:-3}
export FAULT_TABLE=torture/faults.md HOSTILE_TABLE=torture/hostile.md FOREIGN_TABLE=torture/foreign.md
export HOSTILE_ROUNDS=${HOSTILE_ROUNDS:-2000} FOREIGN_ALL=1
failed=0
scripts/test.sh tests/faults tests/hostile || failed=1
scripts/test.sh tests/integration tests/e2e -m torture || failed=1
exit $failed
