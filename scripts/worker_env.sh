#!/usr/bin/env bash
# Prints the .env of a machine that takes runs, from the head's .env: the head's addresses and the passwords
# that runs need, and nothing an administrator signs in with. Its output is secret.
#
#   scripts/worker_env.sh HEAD_ADDRESS [FILE] >worker.env        default: .env
set -euo pipefail
cd "$(dirname "$0")/.."
head=${1:?usage: scripts/worker_env.sh HEAD_ADDRESS [FILE]}
file=${2:-.env}
[ -r "$file" ] || { echo "$file cannot be read: run this on the head, where scripts/make_env.sh wrote it." >&2; exit 1; }

value() { sed -n "s/^$1=//p" "$file" | tail -n 1; }
or_default() { local found; found=$(value "$1"); printf '%s' "${found:-$2}"; }

cat <<END
# For $head's workers. Keep it to yourself (chmod 600): it holds passwords.
COMPOSE_FILE=docker-compose.worker.yaml
COMPOSE_PROJECT_NAME=spatial-etl-worker
MINIO_ENDPOINT=$head:$(or_default PUBLISH_VAULT_PORT 9000)
MONGODB_URI=mongodb://$head:$(or_default PUBLISH_LEDGER_PORT 27017)/?directConnection=true
DAGSTER_POSTGRES_HOST=$head
DAGSTER_POSTGRES_PORT=$(or_default PUBLISH_STORAGE_PORT 5433)
DAGSTER_BROKER_HOST=$head
DAGSTER_BROKER_PORT=$(or_default PUBLISH_BROKER_PORT 6379)
# How the ledger calls this machine; each has a name of its own. And how many runs it takes at a time.
ETL_WORKER_NAME=
ETL_WORKER_SLOTS=2
END
# What both machines must have alike; not set: the same default on both.
grep -E '^(MINIO_(ACCESS_KEY|SECRET_KEY|REGION|LANDING_BUCKET|LAKE_BUCKET|TIMEOUT_S)|MONGODB_(USERNAME|PASSWORD|AUTH_SOURCE|DATABASE|TIMEOUT_S)|POSTGIS_(DATABASE|USER|PASSWORD)|DAGSTER_POSTGRES_(DATABASE|USER|PASSWORD)|DAGSTER_BROKER_PASSWORD|ETL_(LEASE_S|MANIFEST_MAX_BYTES|MANIFEST_MAX_FILES|RUN_TIMEOUT_S|RUN_ATTEMPTS|RETRY_WAIT_S|DAGSTER_URL)|IMAGE_(PREFIX|TAG))=' "$file"
