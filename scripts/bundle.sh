#!/usr/bin/env bash
# Writes all that a site without a network needs to one archive: the images of docker-compose.yaml, of
# its workers and of the other S3 store (and so of deploy/kustomize), the wheels of the platform and its
# command line, this source at HEAD, and checksums of all of it.
# Needs Docker, and the network, here. scripts/load.sh, which is in the archive, brings it up there.
#
#   scripts/bundle.sh [FOLDER]        default: dist
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'bundle: %s\n' "$*" >&2; exit 1; }
docker compose version >/dev/null 2>&1 || fail "needs Docker with its compose plugin."
[ -x .venv/bin/pip ] || fail "needs .venv: run scripts/bootstrap.sh first."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
name=spatial-etl-$version
out=${1:-dist}
mkdir -p "$out"
work=$(mktemp -d "$out/.bundle.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/$name
mkdir "$root"

export IMAGE_PREFIX=spatial-etl IMAGE_TAG=$version
# Only the names of the images are wanted here; the example's placeholders fill the rest.
# docker-compose.workers.yaml asks for an address; no image depends on it.
with() { # OVERRIDE, WHAT IS ASKED OF COMPOSE...
  local override=docker-compose.$1.yaml
  shift
  PUBLISH_SITE_ADDRESS=127.0.0.1 docker compose --env-file .env.example -f docker-compose.yaml -f "$override" "$@"
}
echo "Building the images ..."
with workers build
with seaweedfs build vault
with workers pull --ignore-buildable
mapfile -t images < <({ with workers config --images; with seaweedfs config --images; } | sort -u)
[ ${#images[@]} -gt 0 ] || fail "docker-compose.yaml names no images."
echo "Saving ${#images[@]} images ..."
docker save --output "$root/images.tar" "${images[@]}"
printf '%s\n' "${images[@]}" >"$root/images.txt"

echo "Collecting wheels ..."
.venv/bin/pip download --quiet --only-binary=:all: --dest "$root/wheels" \
  --requirement requirements.txt --requirement services/dagster/requirements-deploy.txt \
  --requirement services/dagster/requirements-user-code.txt
.venv/bin/pip wheel --quiet --no-deps --wheel-dir "$root/wheels" .

git archive --prefix=source/ --output "$root/source.tar" HEAD
cp scripts/load.sh "$root/load.sh"
(cd "$root" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$work/SHA256SUMS"
mv "$work/SHA256SUMS" "$root/SHA256SUMS"
tar --create --file "$out/$name.tar" --directory "$work" "$name"
(cd "$out" && sha256sum "$name.tar" >"$name.tar.sha256")
echo "Written: $out/$name.tar and $out/$name.tar.sha256"
