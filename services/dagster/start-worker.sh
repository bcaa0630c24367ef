#!/bin/sh
# Takes runs on this machine, ETL_WORKER_SLOTS at a time, after a check that says in one sentence what is
# wrong with the settings or the servers (exit code 78). SIGTERM: takes no more, and ends with the last one.
set -eu

python -m etl_pipelines.environment
python -m etl_workers.leftovers
# A process that hangs after Dagster gave its run up is ended too, or it would hold its place for ever.
limit=$((${ETL_RUN_TIMEOUT_S:-21600} + 120))
exec celery --quiet --app etl_workers.app worker --hostname "${ETL_WORKER_NAME:-$(hostname)}@etl" \
  --concurrency "${ETL_WORKER_SLOTS:-2}" --time-limit "$limit" --without-gossip --without-mingle --loglevel INFO
