#!/bin/sh
# Writes requirements*.lock from pyproject.toml: exact versions with hashes, for every platform and Python from 3.11 on.
#
#   deploy/local/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/../.."

tools=var/lock-tools
[ -x "$tools/bin/uv" ] || {
    "${PYTHON:-python3}" -m venv --clear "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
}

compile() {
    output=$1
    shift
    "$tools/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --output-file "$output" "$@"
    echo "$output"
}

compile requirements.lock "$@"
compile requirements-local.lock --extra local "$@"
compile requirements-dev.lock --extra local --extra dev "$@"
