#!/usr/bin/env bash
# Writes .env for Docker Compose: .env.example with a new random password at each "change-me".
# Never overwrites one that is there.
#
#   scripts/make_env.sh [FILE]        default: .env
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."
target=${1:-.env}
[ ! -e "$target" ] || { echo "$target is there already; its passwords are those of the servers." >&2; exit 1; }

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
while IFS= read -r line; do
  case $line in
    *=change-me) printf '%s=%s\n' "${line%=change-me}" "$(random)" ;;
    # The replica set's member has a name that only the containers know.
    MONGODB_URI=*) printf '%s?directConnection=true\n' "$line" ;;
    *) printf '%s\n' "$line" ;;
  esac
done <.env.example >"$target"
echo "Written: $target, readable by you only."
