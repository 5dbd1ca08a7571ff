#!/bin/sh
# See to it that tests find redis-server, and ip for networks that are cut; without them some tests
# are skipped, which is said here.
set -eu
wanted=$(dirname "$0")/apt.sh

# need PROGRAM PACKAGE
need() {
    command -v "$1" >/dev/null && return
    "$wanted" "$2" && command -v "$1" >/dev/null && return
    echo "$1 is missing: tests that need it will be skipped." >&2
    echo "To run them, install it (on Debian, as root: apt-get install $2)." >&2
}

need redis-server redis-server
need ip iproute2
