#!/bin/sh
# Write the lock files from pyproject.toml: exact versions and hashes, no address of any registry.
#   lock.sh UV [--upgrade]
# Without --upgrade what is locked stays, so that a new dependency changes only its own lines.
set -eu
uv=$1
shift

# One file for all: markers from Python 3.11 on, hashes of every wheel, whatever the machine.
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@"
}

compile "$@" --output-file requirements.lock pyproject.toml
compile "$@" --output-file requirements-build.lock --constraint requirements.lock --group build
compile "$@" --output-file requirements-dev.lock --constraint requirements.lock \
    --constraint requirements-build.lock --group build --extra dev pyproject.toml
