#!/bin/sh
# SeaweedFS with three users: administrator, pipeline and landing user. It has no API of MinIO's to
# make them, so their rights stand in a file that this writes from the environment.
set -eu
umask 077

for name in MINIO_ADMIN_ACCESS_KEY MINIO_ADMIN_SECRET_KEY MINIO_ACCESS_KEY MINIO_SECRET_KEY \
  LANDING_ACCESS_KEY LANDING_SECRET_KEY; do
  value=$(printenv "$name") || { echo "$name is not set." >&2; exit 78; }
  case $value in
    '' | *[!A-Za-z0-9+/=_.-]*)
      echo "$name must consist of letters, digits and + / = _ . - only." >&2
      exit 78
      ;;
  esac
done
landing=${MINIO_LANDING_BUCKET:-landing-zone}
lake=${MINIO_LAKE_BUCKET:-data-lake}
users=${USERS_FILE:-/tmp/users.json}

user() { # NAME, ACCESS KEY, SECRET KEY, ACTIONS
  printf '{"name":"%s","credentials":[{"accessKey":"%s","secretKey":"%s"}],"actions":[%s]}' "$@"
}
actions() { # BUCKET, ACTION...
  bucket=$1
  shift
  printf '"%s:'"$bucket"'",' "$@"
}

all=$(actions "$landing" Read Write List Tagging)
reading=$(actions "$lake" Read List)
writing=$(actions "$lake" Read Write List Tagging)
{
  printf '{"identities":['
  user admin "$MINIO_ADMIN_ACCESS_KEY" "$MINIO_ADMIN_SECRET_KEY" '"Admin","Read","Write","List","Tagging"'
  printf ,
  user pipeline "$MINIO_ACCESS_KEY" "$MINIO_SECRET_KEY" "$all${writing%,}"
  printf ,
  user landing "$LANDING_ACCESS_KEY" "$LANDING_SECRET_KEY" "$all${reading%,}"
  printf ']}\n'
} >"$users"

exec ${WEED:-weed} server -dir="${DATA:-/srv/vault}" -s3 -s3.port=9000 -s3.config="$users" \
  -ip.bind=0.0.0.0 -master.volumeSizeLimitMB=1024 -volume.max=0 "$@"
