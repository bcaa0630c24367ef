#!/usr/bin/env bash
# Installs what the project needs and this machine lacks: a .venv with pinned packages, and Debian's
# PostGIS, GDAL, HAProxy and PROJ grids (the demo's raster). A second call finds all of it and is done at once.
# Starting servers is not its business.
#
#   scripts/bootstrap.sh [demo|test]     demo: what running needs; test: that, and the test tools
#   PYTHON=python3.12 scripts/bootstrap.sh      to choose the Python
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

purpose=${1:-demo}
case $purpose in
  demo) requirements=(requirements.txt services/dagster/requirements-user-code.txt services/dagster/requirements.txt) ;;
  test) requirements=(requirements-test.txt) ;;
  *) echo "usage: scripts/bootstrap.sh [demo|test]" >&2; exit 2 ;;
esac
venv=.venv
stamp=$venv/.installed-$purpose

say() { printf '%s\n' "$*"; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

is_usable_python() { # the code runs on 3.10; the pinned numpy and pandas ask for 3.11
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local name
  for name in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13; do
    if command -v "$name" >/dev/null && is_usable_python "$name"; then
      command -v "$name"
      return
    fi
  done
  fail "no Python 3.11 or newer was found (looked for python3, python3.11 to python3.13).
On Debian 12: apt-get install python3 python3-venv. Elsewhere: PYTHON=/path/to/python scripts/bootstrap.sh"
}

# --- Debian packages: each is known by a file of its own, which is quicker than asking dpkg.

missing_packages() {
  [ -x /usr/lib/postgresql/15/bin/initdb ] && [ -e /usr/share/postgresql/15/extension/postgis.control ] ||
    echo postgresql-15-postgis-3
  command -v gdalwarp >/dev/null && command -v ogr2ogr >/dev/null || echo gdal-bin
  [ -e /usr/share/proj/egm96_15.gtx ] || echo proj-data
  [ -x /usr/sbin/haproxy ] || echo haproxy
  # The broker of the tests of several machines. Debian's redis-server would start a service of its own.
  [ "$purpose" != test ] || [ -x /usr/bin/redis-check-rdb ] || echo redis-tools
}

install_packages() { # PACKAGE...
  local install=(apt-get install -y -qq --no-install-recommends "$@") as_root=() log
  command -v apt-get >/dev/null ||
    fail "needs $* (Debian's names), and this system has no apt-get. Install them, then try again."
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      fail "Debian packages are missing, and this user may not install them. Ask an administrator to run:
    apt-get update && apt-get install -y --no-install-recommends $*
then try again."
    fi
    as_root=(sudo -n)
  fi
  say "Installing Debian's $* with apt-get (once) ..."
  log=$(mktemp)
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c '
      apt-get -o DPkg::Lock::Timeout=300 update -qq || echo "apt-get update failed; trying with the lists at hand"
      exec "$@" -o DPkg::Lock::Timeout=300' bash "${install[@]}" </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get could not install $*; its last words are above. Mend that, then try again."
  fi
  rm -f "$log"
}

mapfile -t wanted < <(missing_packages)
if [ ${#wanted[@]} -gt 0 ]; then install_packages "${wanted[@]}"; fi

unpack_prometheus() { # the tests ask a real one; its two programs, and no service that stays
  [ "$purpose" = test ] && ! { [ -x $venv/bin/promtool ] && [ -x $venv/bin/prometheus ]; } || return 0
  local folder
  folder=$(mktemp -d)
  say "Unpacking Debian's prometheus into $venv (once) ..."
  if ! (cd "$folder" && apt-get download -qq prometheus) 2>/dev/null; then
    if [ "$(id -u)" -eq 0 ]; then apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null 2>&1
    else sudo -n apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null 2>&1; fi || true
    (cd "$folder" && apt-get download -qq prometheus) ||
      fail "apt-get could not download prometheus; its last words are above. Mend that, then try again."
  fi
  dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb |
    tar --extract --strip-components=3 --directory $venv/bin ./usr/bin/prometheus ./usr/bin/promtool ||
    fail "Debian's prometheus could not be unpacked."
  rm -rf "$folder"
}

# --- The Python environment

current=$(cat "${requirements[@]}" pyproject.toml | cksum)
# The test tools include everything that the demo needs.
for done_stamp in "$stamp" "$venv/.installed-test"; do
  [ -x $venv/bin/spatial-etl ] || break
  if [ "$done_stamp" = "$stamp" ]; then expected=$current
  else expected=$(cat requirements-test.txt pyproject.toml | cksum); fi
  if [ -f "$done_stamp" ] && [ "$(<"$done_stamp")" = "$expected" ]; then
    unpack_prometheus
    exit 0
  fi
done

if ! { [ -x $venv/bin/python ] && is_usable_python $venv/bin/python; }; then
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    install_packages python3-venv
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
      fail "$python has no venv module. Install the package that brings it, then try again."
  fi
  say "Making $venv with $("$python" --version) ..."
  rm -rf $venv
  "$python" -m venv $venv
fi

say "Installing the pinned Python packages for '$purpose' into $venv (once; a few minutes on a slow network) ..."
rm -f $venv/.installed-*
pip() { $venv/bin/python -m pip --disable-pip-version-check -qq "$@" </dev/null; }
pip install "${requirements[@]/#/--requirement=}" ||
  fail "pip could not install the pinned packages; its message is above. Check the network or the package index that pip is set to."
pip install --no-deps --editable . ||
  fail "pip could not install the project itself; its message is above."
unpack_prometheus
printf '%s\n' "$current" >"$stamp"
