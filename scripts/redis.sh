#!/bin/sh
# See to it that tests find redis-server; without it they are skipped, which is said here.
set -eu
command -v redis-server >/dev/null && exit 0
"$(dirname "$0")/apt.sh" redis-server && command -v redis-server >/dev/null && exit 0
echo "redis-server is missing: tests that need it will be skipped." >&2
echo "To run them, install it (on Debian, as root: apt-get install redis-server)." >&2
