#!/bin/sh
# Make a virtual environment from locked requirements, and install this checkout into it.
#   venv.sh DIR LOCK...
# PYTHON names the interpreter; without it the first of python3, python3.13, python3.12, python3.11
# that is new enough. As root on Debian what is missing is installed; otherwise it is named.
set -eu
venv=$1
shift

say() { printf '%s\n' "$*" >&2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed; tried: ${PYTHON:-python3 python3.13 python3.12 python3.11}."
    say "Name another one: make PYTHON=/path/to/python3 ..."
    exit 1
}

# Debian splits ensurepip off: without it the module venv is there but cannot make one.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

need_venv_module() {
    can_make_venv "$1" && return
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if ! "$(dirname "$0")/apt.sh" "$package" || ! can_make_venv "$1"; then
        say "$1 cannot make virtual environments: $package is missing."
        say "Install it (on Debian, as root: apt-get install $package) and run make again."
        exit 1
    fi
}

if ! new_enough "$venv/bin/python"; then
    python=$(find_python)
    need_venv_module "$python"
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

say "installing locked requirements into $venv"
for lock in "$@"; do set -- "$@" -r "$lock"; shift; done
# Wheels only: building from source would run code that no hash of ours was chosen for.
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    --require-hashes "$@"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps \
    --no-build-isolation --editable .
