"""`python -m tweenbridge_tray`: the tray app; with `confirm`, the window that asks how in-betweens are to be made."""

from __future__ import annotations

import argparse
import signal
import sys

from tweenbridge.discovery import data_dir

NO_WINDOWS = 70
"""The exit status where Qt cannot be loaded: a library of the system is missing."""


def main() -> int:
    """Run what the arguments ask for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="tweenbridge tray", description="The Tweenbridge tray app.")
    parser.add_argument("what", nargs="?", choices=("tray", "confirm"), default="tray")
    parser.add_argument("--hidden", action="store_true", help="only show the icon, where the desktop has a tray")
    chosen = parser.parse_args()
    # Ctrl-C in the terminal ends the program at once: Qt's event loop would not notice it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_WINDOWS
    if chosen.what == "confirm":
        from .confirm import run as confirm

        return confirm(data_dir(), sys.stdin, sys.stdout)
    from .app import run

    return run(data_dir(), sys.argv[:1], chosen.hidden)


if __name__ == "__main__":
    sys.exit(main())
