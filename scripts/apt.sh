#!/bin/sh
# Install Debian packages where that is possible: as root, with apt-get.
#   apt.sh PACKAGE...
# Exit 1 where it is not; what follows from that is for the caller to say.
set -eu
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 1
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() { apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; }

printf 'installing %s from Debian\n' "$*" >&2
# A fresh image has no package lists; a machine that has them need not fetch them again.
install "$@" || { apt-get update >"$log" 2>&1 && install "$@"; } || {
    tail -n 5 "$log" >&2
    exit 1
}
