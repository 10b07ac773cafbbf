"""Talking to the person at the terminal: errors as a sentence and a remedy, sizes and times as people say them."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer
from tweenbridge.discovery import data_dir
from tweenbridge.protocol.errors import REMEDIES, ErrorCode, TweenbridgeError

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def console(*, stderr: bool = False) -> Console:
    """A rich console without markup or colouring of what it is given: file names are not to be interpreted."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(sentence: str) -> None:
    """Tell something beside the command's output."""
    print(sentence, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value for another program."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def in_users_words(text: str) -> str:
    """A message with the `tweenbridge` commands in it as the user has to type them (bootstrap.py has its own name)."""
    return text.replace("`tweenbridge ", f"`{os.environ.get('TWEENBRIDGE_INVOKED_AS', 'tweenbridge')} ")


def plain_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Make a command end with one plain sentence, a remedy and an exit status instead of a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except TweenbridgeError as error:
            _fail(str(error), error.remedy)
        except BrokenPipeError:
            # Whoever read our output has seen enough. What is still buffered must not fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            say("\nStopped.")
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}.", _remedy_for(error))
        except typer.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - the last resort: it is reported, and kept in a file
            _fail(f"Something went wrong that should not have: {error!r}.", _keep_traceback())

    return run


def _fail(sentence: str, remedy: str) -> None:
    say(f"Error: {sentence}")
    if remedy:
        say(f"       {in_users_words(remedy)}")
    raise typer.Exit(1) from None


def _remedy_for(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return REMEDIES[ErrorCode.DISK_FULL]
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Choose a folder that you may write to."
    return ""


def _keep_traceback() -> str:
    import traceback

    path = data_dir() / "logs" / "command.log"
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(sys.argv)}\n{traceback.format_exc()}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return text
    return f"Please report it with the end of {path}."


def size(count: float) -> str:
    """Bytes as people say them: "4.2 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds as people say them: "8 s", "3 min", "2 h"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for limit, divisor, unit in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def ago(moment: float) -> str:
    """A time in seconds since 1970 as the time since then."""
    return duration(max(0.0, time.time() - moment))


def short_path(path: Path) -> str:
    """A path as one would type it here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"
