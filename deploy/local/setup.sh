#!/bin/sh
# Prepares this machine, as far as needed, and only says something when it does something.
#
#   deploy/local/setup.sh local|dev [servers]
#
# local    what runs Kvar on this machine; dev: also what tests and checks it. Into the virtual environment $VENV
#          (default .venv), by the hashes of requirements-*.lock.
# servers  RabbitMQ as well, from the system's packages. Only its files are used: Kvar starts nodes of its own.
#
# PYTHON chooses the interpreter (default: python3, else the newest python3.x on the PATH).
set -eu
cd "$(dirname "$0")/../.."

what=${1:?usage: deploy/local/setup.sh local|dev [servers]}
servers=${2:-}
venv=${VENV:-.venv}
lock=requirements-$what.lock
log=var/setup.log

say() { printf '%s\n' "$*" >&2; }

fail() {
    say ""
    say "Kvar cannot be set up: $*"
    exit 1
}

# --- a fast way out: nothing changed since the last time ------------------------------------------------------------

checksum() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi
}

wanted=$(cat "$lock" pyproject.toml | checksum)
has_packages() {
    for stamp in "$venv/.kvar-$what" "$venv/.kvar-dev"; do
        other=requirements-${stamp##*-}.lock
        if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(cat "$other" pyproject.toml | checksum)" ]; then
            "$venv/bin/python" -c '' 2>/dev/null && return 0
        fi
    done
    return 1
}

has_rabbitmq() {
    for script in /usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server /usr/lib/rabbitmq/bin/rabbitmq-server \
        /opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server /usr/local/opt/rabbitmq/sbin/rabbitmq-server \
        /home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin/rabbitmq-server; do
        [ -x "$script" ] && return 0
    done
    return 1
}

needs_packages=no
has_packages || needs_packages=yes
needs_rabbitmq=no
if [ "$servers" = servers ] && ! has_rabbitmq; then needs_rabbitmq=yes; fi
[ "$needs_packages$needs_rabbitmq" = nono ] && exit 0

mkdir -p var
: >"$log"

# --- Python ---------------------------------------------------------------------------------------------------------

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

python=$(find_python) || fail "it needs Python 3.11 or newer. Here: $(${PYTHON:-python3} --version 2>/dev/null || echo none).
Install a newer one (Debian 12 and Ubuntu 24.04 have it: apt-get install python3), or name it: make PYTHON=/path/to/python3.12 ..."

system_packages=
if [ "$needs_packages" = yes ] && [ ! -x "$venv/bin/python" ]; then
    # Debian keeps the part of venv that installs pip in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        system_packages="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
fi
[ "$needs_rabbitmq" = yes ] && system_packages="$system_packages rabbitmq-server"

# --- packages of the system -----------------------------------------------------------------------------------------

show_log() {
    say "The end of $log:"
    tail -n 15 "$log" | sed 's/^/  | /' >&2
}

install_system_packages() {
    packages=$*
    command -v apt-get >/dev/null 2>&1 || fail "these are not installed: $packages. Please install them with this \
system's own tools (on macOS: brew install rabbitmq), then run the same command again."
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
        sudo -n true 2>/dev/null || say "sudo may ask for your password, to install: $packages"
        sudo -v || fail "these packages are not installed: $packages; and you may not use \
sudo here. Ask an administrator to run: apt-get install $packages — then run the same command again."
    else
        fail "these packages are not installed: $packages; and there is no sudo here. Ask an administrator to run: \
apt-get install $packages — then run the same command again."
    fi
    say "Installing from the system's packages: $packages ..."
    # shellcheck disable=SC2086
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $packages; } \
        >>"$log" 2>&1 </dev/null; then
        show_log
        fail "apt-get could not install: $packages. Is there a network connection, and do the package sources of this \
machine work (apt-get update)? When they do, run the same command again."
    fi
}

if [ -n "$system_packages" ]; then
    # shellcheck disable=SC2086
    install_system_packages $system_packages
    if [ "$needs_rabbitmq" = yes ]; then
        has_rabbitmq || fail "the package rabbitmq-server is installed, but its server is not in a known place."
        if [ -d /run/systemd/system ] && systemctl is-active --quiet rabbitmq-server 2>/dev/null; then
            say "Note: the package rabbitmq-server has started a service of the system. Kvar neither uses nor touches it; \
if you do not want it: systemctl disable --now rabbitmq-server"
        fi
    fi
fi
[ "$needs_packages" = yes ] || exit 0

# --- Python packages ------------------------------------------------------------------------------------------------

if [ ! -x "$venv/bin/python" ] || ! is_new_enough "$venv/bin/python"; then
    say "Making the virtual environment $venv with $("$python" --version) ..."
    if ! "$python" -m venv --clear "$venv" >>"$log" 2>&1; then
        show_log
        fail "$python could not make a virtual environment in $venv."
    fi
fi

say "Installing the Python packages of $lock ..."
rm -f "$venv"/.kvar-*
if ! { "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$lock" &&
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .; } \
    >>"$log" 2>&1; then
    show_log
    fail "the Python packages could not be installed. Is there a network connection, and is the package index reached \
(pip needs to know a proxy or mirror, if there is one)? When it is, run the same command again."
fi
printf '%s' "$wanted" >"$venv/.kvar-$what"
