"""The server as `tweenbridge serve` runs it, with two things that a test needs: a wall clock that can be set, and
housekeeping every half second instead of every minute.

The clock is off by the seconds that the file named by CHAOS_CLOCK holds.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tweenbridge.discovery import data_dir
from tweenbridge.protocol.errors import TweenbridgeError
from tweenbridge_server.app import serve
from tweenbridge_server.config import load_config

HOUSEKEEPING = 0.5


def _set_clock(file: Path) -> None:
    real = time.time
    last = 0.0

    def shifted() -> float:
        nonlocal last
        with suppress(OSError):  # Descriptors may have run out.
            last = float(file.read_text())
        return real() + last

    time.time = shifted


def main() -> int:
    _set_clock(Path(os.environ["CHAOS_CLOCK"]))
    try:
        config = load_config(data_dir())
        return serve(replace(config, retention=replace(config.retention, interval=HOUSEKEEPING)))
    except TweenbridgeError as error:
        print(f"{error.code.value}: {error} {error.remedy}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
