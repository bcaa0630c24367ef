#!/bin/sh
# Starts the code server, after a check that says in one sentence what is wrong with the settings or
# the servers (exit code 78). With --watch it begins anew when the mounted code changes.
set -eu

serve="python -m etl_pipelines.code_server --host ${HOST:-0.0.0.0} --port ${DAGSTER_CODE_PORT:-4000} \
--module-name etl_pipelines.definitions --location-name etl_pipelines"

python -m etl_pipelines.environment
if [ "${1:-}" = --watch ]; then
  exec watchfiles --sigint-timeout 2 --filter python --target-type command "$serve" etl_pipelines
fi
# shellcheck disable=SC2086  # split on purpose: these are words, not one name
exec $serve
