#!/bin/sh
# Starts Redis as the broker of Dagster's workers, with its password from DAGSTER_BROKER_PASSWORD. It keeps
# nothing: what waits is in Dagster's own storage. BROKER_ADDRESS, BROKER_PORT and BROKER_FOLDER are for a
# start without a container.
set -eu

folder=${BROKER_FOLDER:-/tmp}
config=$folder/redis.conf
: "${DAGSTER_BROKER_PASSWORD:?the password that workers sign in with}"
case $DAGSTER_BROKER_PASSWORD in
  *[!A-Za-z0-9._~-]*) echo "DAGSTER_BROKER_PASSWORD may have letters, digits and . _ ~ - only." >&2; exit 78 ;;
esac

umask 077
cat >"$config" <<END
bind ${BROKER_ADDRESS:-* -::*}
port ${BROKER_PORT:-6379}
requirepass $DAGSTER_BROKER_PASSWORD
dir $folder
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
tcp-keepalive 60
rename-command CONFIG ""
rename-command DEBUG ""
rename-command MODULE ""
END
unset DAGSTER_BROKER_PASSWORD
exec redis-server "$config"
