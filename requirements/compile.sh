#!/usr/bin/env bash
# Re-makes every pinned requirements file from requirements/*.in, with one version of each package everywhere.
# Needs pip-tools. Pins stay as they are where they fit: a new package moves no other one.
#
#   requirements/compile.sh [--upgrade]      --upgrade: the newest versions of all
set -euo pipefail
cd "$(dirname "$0")/.."
compile="python -m piptools compile --quiet --strip-extras --no-header --no-annotate --no-emit-find-links --no-emit-index-url --no-emit-trusted-host"
all=$(mktemp)
trap 'rm -f "$all" "$all".*' EXIT
cat requirements/*.in | sed 's/#.*//' > "$all.in"
# What stands in its output file is kept by pip-compile.
cat requirements*.txt services/dagster/requirements*.txt | grep -v '^ *#' | sort -u > "$all"
$compile "$@" --output-file "$all" "$all.in"
pin() { # OUTPUT, INPUT...
  out=$1; shift
  cat "$@" | sed 's/#.*//' > "$all.in"
  rm -f "$all.part"
  { cat "$all.in"; echo "-c $all"; } > "$all.one.in"
  $compile --output-file "$all.part" "$all.one.in"
  { echo "# Made by requirements/compile.sh from $*; edit those."; grep -v '^ *#' "$all.part"; } > "$out"
}
pin requirements.txt requirements/libs.in requirements/stack.in
pin requirements-test.txt requirements/libs.in requirements/stack.in requirements/dagster.in requirements/deploy.in requirements/test.in
pin services/dagster/requirements.txt requirements/dagster.in
pin services/dagster/requirements-user-code.txt requirements/dagster.in requirements/libs.in
pin services/dagster/requirements-deploy.txt requirements/dagster.in requirements/deploy.in
