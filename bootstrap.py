"""One command from a fresh checkout to a working Tweenbridge: `python3 bootstrap.py demo`. Needs nothing but Python.

This file stays readable to every Python 3, so that an old one is told in a sentence what to install.
"""

import sys
from pathlib import Path

OLDEST = (3, 10)


def main() -> int:
    """Run the command line; returns the exit status."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(
            f"Tweenbridge needs Python 3.10 or newer; this is Python {found}.\n"
            "Install Python 3.12 (python.org for Windows and macOS, your package manager on Linux), "
            "then run `python3.12 bootstrap.py`.\n"
        )
        return 1
    root = Path(__file__).resolve().parent
    sys.path.insert(0, str(root / "installer"))
    from tweenbridge_installer import bootstrap

    return bootstrap.main(root, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
