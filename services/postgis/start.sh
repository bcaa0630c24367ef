#!/usr/bin/env bash
# PostGIS as a transient engine: every start makes a new, empty cluster with the pipeline's database
# and role in it. So nothing is ever half there after a crash, and nothing needs an init job.
#
# POSTGIS_USER, POSTGIS_PASSWORD and POSTGIS_DATABASE name what is made. The superuser is the system
# user that runs this, through the socket only. Arguments go to `postgres`.
set -euo pipefail
umask 077

: "${POSTGIS_USER:?}" "${POSTGIS_PASSWORD:?}"
export POSTGIS_DATABASE=${POSTGIS_DATABASE:-compute}
share=${SHARE:-/usr/local/share/spatial-etl}
data=${PGDATA:-/var/lib/spatial-etl/compute}
sockets=${SOCKETS:-/run/postgresql}
bin=/usr/lib/postgresql/15/bin
superuser=$(id -un)

find "$data" -mindepth 1 -delete 2>/dev/null || true # the folder itself may be a mount
"$bin/initdb" --pgdata="$data" --no-sync --auth=reject --encoding=UTF8 --locale=C.UTF-8 \
  --username="$superuser" >/dev/null
cp "$share/postgresql.conf" "$data/postgresql.conf"
echo "unix_socket_directories = '$sockets'" >>"$data/postgresql.conf"
cat >"$data/pg_hba.conf" <<HBA
local all "$superuser" peer
host "$POSTGIS_DATABASE" "$POSTGIS_USER" all scram-sha-256
HBA

admin=(env PGHOST="$sockets" PGUSER="$superuser" PGOPTIONS=--client-min-messages=warning)
"$bin/pg_ctl" --pgdata="$data" --silent --wait --log="$data/start.log" \
  --options="-c listen_addresses=" start || { cat "$data/start.log" >&2; exit 1; }
"${admin[@]}" "$bin/createdb" "$POSTGIS_DATABASE"
"${admin[@]}" "$bin/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
  --set="provision=$share/provision.sql" "$POSTGIS_DATABASE" <<'SQL'
\getenv role POSTGIS_USER
\getenv password POSTGIS_PASSWORD
\o /dev/null
SELECT set_config('spatial_etl.role', :'role', false),
       set_config('spatial_etl.password', :'password', false);
\o
\i :provision
SQL
"$bin/pg_ctl" --pgdata="$data" --silent --wait --mode=fast stop

unset POSTGIS_PASSWORD
exec "$bin/postgres" -D "$data" "$@"
