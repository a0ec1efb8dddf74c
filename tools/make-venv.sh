#!/bin/sh
# Make .venv with the first Python >= 3.11 that can make one; on Debian, fetch the packages that are missing for it.
set -eu

venv=.venv
wanted='import sys; sys.exit(sys.version_info < (3, 11))'
# Debian splits ensurepip off into python3-venv: `import venv` works without it, making an environment does not.
able='import ensurepip, venv'

find_python() {
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13}; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$wanted" 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

install_packages() {
    as_root apt-get -qq update && as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "$@"
}

# Install Debian packages, or say which ones to install by hand and stop.
need() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "joinbridge needs Python 3.11 or newer with its venv and ensurepip modules. Install it, then run make again." >&2
        echo "A Python that is not on the PATH can be named: make PYTHON=/where/it/is/python3 ..." >&2
        exit 1
    fi
    echo "Installing $* with apt-get ..."
    log=$(mktemp)
    if ! install_packages "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "joinbridge needs $*, and installing it did not work from here. Install it, then run make again:" >&2
        echo "    sudo apt-get update && sudo apt-get install -y $*" >&2
        exit 1
    fi
    rm -f "$log"
}

python=$(find_python) || {
    if [ -n "${PYTHON:-}" ]; then
        echo "PYTHON=$PYTHON is not a Python 3.11 or newer." >&2
        exit 1
    fi
    need python3 python3-venv
    python=$(find_python) || {
        echo "This distribution's python3 is older than 3.11. Name a newer one: make PYTHON=/where/it/is/python3 ..." >&2
        exit 1
    }
}

if ! "$python" -c "$able" 2>/dev/null; then
    # python3.12 on a Debian needs python3.12-venv; the unversioned package serves only the default Python.
    need "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
fi

echo "Making $venv with $("$python" --version) ..."
"$python" -m venv --clear "$venv"
