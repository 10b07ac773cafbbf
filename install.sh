#!/bin/sh
# Installs Tweenbridge from this folder, for the user who runs it: `sh install.sh`.
# What follows goes to `tweenbridge install`: `sh install.sh --dry-run`. It needs Python 3.10 or newer, nothing else.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# A Python that can make environments, newest well-tried version first; PYTHON names another.
for python in "${PYTHON:-}" python3.12 python3.13 python3.11 python3.10 python3.14 python3 python; do
    [ -n "$python" ] || continue
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        exec "$python" "$here/bootstrap.py" install "$@"
    fi
done

cat >&2 <<'END'
Tweenbridge needs Python 3.10 or newer, and there is none here that can make environments.
    macOS             install Python 3.12 from https://www.python.org/downloads/
    Debian, Ubuntu    sudo apt install python3 python3-venv
    Fedora            sudo dnf install python3
    Arch              sudo pacman -S python
Then run this again. PYTHON=/path/to/python3 sh install.sh takes a certain one.
END
exit 1
