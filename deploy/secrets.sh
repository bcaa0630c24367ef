#!/usr/bin/env bash
# Prints the Secrets that the overlays refer to, with new random passwords. Writes nothing to disk.
#
#   deploy/secrets.sh | kubectl create --namespace spatial-etl --filename -
#
# `create` refuses to replace one that is there: a password that changes under a running server locks
# the pipeline out. For `prod-external`, put the site's own users in by hand instead.
set -euo pipefail

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
secret() { # NAME, KEY VALUE...
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s}\nstringData:\n' "$1"
  shift
  printf '  %s: "%s"\n' "$@"
}

secret vault-admin MINIO_ADMIN_ACCESS_KEY vault-admin MINIO_ADMIN_SECRET_KEY "$(random)"
secret vault-pipeline MINIO_ACCESS_KEY pipeline MINIO_SECRET_KEY "$(random)"
secret vault-landing LANDING_ACCESS_KEY landing LANDING_SECRET_KEY "$(random)"
secret ledger-admin MONGODB_ADMIN_USERNAME ledger_admin MONGODB_ADMIN_PASSWORD "$(random)"
secret ledger-replica MONGODB_ADMIN_REPLICA_KEY "$(random)"
secret ledger-pipeline MONGODB_USERNAME pipeline MONGODB_PASSWORD "$(random)"
secret compute-pipeline POSTGIS_USER pipeline POSTGIS_PASSWORD "$(random)"
secret dagster-storage DAGSTER_POSTGRES_USER dagster DAGSTER_POSTGRES_PASSWORD "$(random)"
