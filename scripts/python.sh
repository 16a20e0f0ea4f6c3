#!/bin/sh
# Prints the path of the Python to work with, or says on standard error what to do and fails.
#
#   scripts/python.sh         $PYTHON where it is set; else a 3.13; else python3 from 3.11 on
#   scripts/python.sh 3.11    a 3.11, whatever $PYTHON says; nothing else will do
#   scripts/python.sh differs FOLDER
#                             prints a word if the environment in FOLDER has to be made anew:
#                             it does not run, or $PYTHON asks for another Python than its own
#
# A command may be there and refuse to run: pyenv leaves one for every version that it has, and
# answers only for those that are switched on. So each is run before it is chosen.
set -eu

# Runs a command and prints the interpreter behind it, which no environment hides. Fails with 4 for
# a Python that is too old, with 5 for one that cannot make environments.
interpreter() {
    command "$1" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(4)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(5)
print(getattr(sys, "_base_executable", None) or sys.executable)' 2>/dev/null
}

is_version() {
    command "$1" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])' "$2" 2>/dev/null
}

# The folders that pyenv may keep its versions in.
pyenv_roots() {
    echo "${PYENV_ROOT:-${HOME:-}/.pyenv}"
    pyenv root 2>/dev/null || true
    shim=$(command -v "python$1" || true)
    echo "${shim%/shims/*}"
}

# The releases of a version that pyenv has, newest first: 3.13.10 before 3.13.2, no 3.13-dev.
pyenv_releases() {
    {
        pyenv versions --bare || true
        pyenv_roots "$1" | while read -r root; do ls "$root/versions" || true; done
    } 2>/dev/null | grep -E "^$(echo "$1" | sed 's/\./\\./')\.[0-9]+\$" | sort -u -t. -k3,3nr
}

# Prints the interpreter of a version such as 3.13.
find_version() {
    is_version "python$1" "$1" && interpreter "python$1" && return
    for release in $(pyenv_releases "$1"); do
        pyenv_roots "$1" | while read -r root; do
            interpreter "$root/versions/$release/bin/python$1" && break
        done | grep . && return
        (export PYENV_VERSION="$release" && interpreter "python$1") && return
    done
    return 1
}

fail() {
    echo "$1" >&2
    exit 1
}

# Prints what $PYTHON names.
given() {
    status=0
    interpreter "$PYTHON" || status=$?
    case $status in
    0) ;;
    4) fail "PYTHON=$PYTHON is older than Python 3.11, which Sealed Relay needs at least." ;;
    5) fail "PYTHON=$PYTHON cannot make environments: it lacks the modules venv and ensurepip \
(on Debian and Ubuntu, apt install python3-venv, or the package for its version)." ;;
    *) fail "PYTHON=$PYTHON does not run: give the path of a Python 3.11 or newer." ;;
    esac
}

choose() {
    if [ -n "${PYTHON:-}" ]; then
        given
        return
    fi
    find_version 3.13 && return
    for name in python3 python3.12 python3.11; do
        interpreter "$name" && return
    done
    fail "Sealed Relay needs Python 3.13, or at least 3.11, with its module venv, and found none. \
Install one (https://www.python.org/downloads/), or say where it is: make PYTHON=/path/to/python3.13 ..."
}

# The same program may be known by several names: python3, python3.13, links to either.
same() {
    command "$1" -c 'import os, sys; sys.exit(not os.path.samefile(sys.argv[1], sys.argv[2]))' "$1" "$2"
}

differs() {
    [ -e "$1/bin" ] || return 0
    made_by=$(interpreter "$1/bin/python") || { echo broken; return; }
    [ -n "${PYTHON:-}" ] || return 0
    # A choice that cannot be is reported where the environment is made.
    asked=$(given 2>/dev/null) && same "$made_by" "$asked" || echo other
}

case ${1:-} in
"") choose ;;
differs) differs "$2" ;;
*) find_version "$1" ||
    fail "Python $1 is not here, neither as python$1 nor under pyenv: install it." ;;
esac
