#!/usr/bin/env bash
# Brings a bundle up at a site without a network: checks every checksum, loads the images into Docker,
# unpacks the source. Starts nothing, and overwrites no folder.
#
#   tar xf spatial-etl-VERSION.tar && spatial-etl-VERSION/load.sh TARGET_FOLDER
#   scripts/load.sh TARGET_FOLDER spatial-etl-VERSION.tar      from a checkout; so does make load
set -euo pipefail
export LC_ALL=C # one order for sort and comm

fail() { printf 'load: %s\n' "$*" >&2; exit 1; }
target=${1:-} archive=${2:-}
[ -n "$target" ] || fail "say which folder the platform shall be in:
  load.sh TARGET_FOLDER [BUNDLE.tar], or make load TARGET=TARGET_FOLDER BUNDLE=spatial-etl-VERSION.tar"
[ ! -e "$target" ] || fail "$target is there already; name a new folder."

bundle=$(cd "$(dirname "$0")" && pwd)
if [ -n "$archive" ]; then
  [ -f "$archive" ] || fail "there is no bundle $archive."
  unpacked=$(mktemp -d "$(dirname "$archive")/.load.XXXXXX")
  trap 'rm -rf "$unpacked"' EXIT
  tar --extract --file "$archive" --directory "$unpacked" --strip-components=1
  bundle=$unpacked
fi
[ -f "$bundle/SHA256SUMS" ] || fail "$bundle is no bundle: it has no SHA256SUMS. Run the load.sh
of an unpacked bundle, or name the bundle: load.sh TARGET_FOLDER BUNDLE.tar, or make load TARGET=… BUNDLE=…"

(cd "$bundle" && sha256sum --check --quiet --strict SHA256SUMS >&2) ||
  fail "the bundle is damaged: the files named above are not what was packed. Nothing was loaded."
# A file that no checksum vouches for could be anything.
unknown=$(cd "$bundle" && find . -type f ! -name SHA256SUMS -print | sort |
  comm -23 - <(sed 's/^[0-9a-f]\{64\}  //' SHA256SUMS | sort))
[ -z "$unknown" ] || fail "the bundle has files that were not packed: $unknown. Nothing was loaded."

docker load --input "$bundle/images.tar"
mkdir -p "$target"
tar --extract --file "$bundle/source.tar" --directory "$target" --strip-components=1
cp -r "$bundle/wheels" "$target/wheels"
cat <<NEXT
Loaded into $target. Next:
  cd $target
  scripts/make_env.sh      # an upgrade: copy the old folder's .env here instead (docs/operations.md)
  docker compose up --detach --no-build
The command line on this machine, from the wheels alone:
  python3 -m venv .venv && .venv/bin/pip install --no-index --find-links wheels spatial-etl
NEXT
