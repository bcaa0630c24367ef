#!/usr/bin/env bash
# Starts a member of the replica set; the first member makes the set and its administrator, once.
#
# MONGODB_ADMIN_REPLICA_KEY, MONGODB_ADMIN_USERNAME, MONGODB_ADMIN_PASSWORD and MONGODB_ADMIN_MEMBERS
# (host:port by comma; this host's name decides whether it is the first).
set -euo pipefail
umask 077

: "${MONGODB_ADMIN_REPLICA_KEY:?}" "${MONGODB_ADMIN_USERNAME:?}" "${MONGODB_ADMIN_PASSWORD:?}"
: "${MONGODB_ADMIN_MEMBERS:?}"
folder=${CONFIG_FOLDER:-/etc/spatial-etl}
keyfile=${KEYFILE:-/run/mongodb/keyfile}

rm -f "$keyfile"
printf '%s\n' "$MONGODB_ADMIN_REPLICA_KEY" >"$keyfile"

without_secrets=(env -u MONGODB_ADMIN_REPLICA_KEY -u MONGODB_ADMIN_USERNAME -u MONGODB_ADMIN_PASSWORD)
first=${MONGODB_ADMIN_MEMBERS%%,*}
first=${first%%[.:]*}
if [ "$(hostname -s)" != "$first" ]; then
  exec "${without_secrets[@]}" mongod --config "$folder/mongod.conf"
fi

"${without_secrets[@]}" mongod --config "$folder/mongod.conf" &
server=$!
trap 'kill -TERM $server 2>/dev/null' TERM INT
if ! mongosh --quiet --norc --nodb --file "$folder/first_start.js"; then
  kill -TERM $server
  wait $server || true
  exit 1
fi
# A signal ends `wait` before the server has ended.
while kill -0 $server 2>/dev/null; do wait $server && code=0 || code=$?; done
exit "${code:-1}"
