"""The helper process that gets and checks models: `python -m tweenbridge_server.models.helper`.

An order comes as the first line of its input, news leave as lines of its output. It works until it is done, is killed
(which is how a download is paused) or its input ends, which means that the server has gone. Being a process of its own,
it keeps neither the server's start nor its answers waiting, and what it leaves behind is always fit to go on from.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError

from .catalogue import KnownFile
from .fetch_http import Remote, fetch
from .orders import (
    Checked,
    CheckOrder,
    Counted,
    Failed,
    Fetched,
    FetchOrder,
    News,
    Place,
    disk_full,
    download_failed,
    from_line,
    to_line,
)
from .partial import Partial, hash_file

MARGIN: Final = 200_000_000
"""Bytes that are left free on the disk for everybody else."""
_TELL_SECONDS: Final = 0.2

log = logging.getLogger(__name__)

Say = Callable[[News], None]


class _Meter:
    """Counts bytes and tells now and then."""

    def __init__(self, say: Say, total: int) -> None:
        self._say = say
        self._last = 0.0
        self.done = 0
        self.total = total

    def add(self, count: int) -> None:
        """So many bytes more are done."""
        self.done += count
        self.tell()

    def tell(self, now: bool = False) -> None:
        """Tell, unless that was just done."""
        if now or time.monotonic() - self._last >= _TELL_SECONDS:
            self._last = time.monotonic()
            self._say(Counted(self.done, max(self.total, self.done)))


class _Wanted:
    """One file to get: where it is, and what it must be ("" where not known)."""

    def __init__(self, remote: Remote, sha256: str, git: str) -> None:
        self.remote = remote
        self.sha256 = sha256
        self.git = git

    def is_met(self, sha256: str, git: str) -> bool:
        """Whether content with these hashes is what is wanted."""
        return (not self.sha256 or sha256 == self.sha256) and (not self.git or git == self.git)


def fetch_model(order: FetchOrder, say: Say) -> Fetched:
    """Get all files of a model from the first place that has them.

    Raises:
        TweenbridgeError: DOWNLOAD_FAILED, DISK_FULL.
        OSError: the folder cannot be written.
    """
    for number, place in enumerate(order.places, 1):
        try:
            return _fetch_from(place, order, say)
        except TweenbridgeError as error:
            if error.code is not ErrorCode.DOWNLOAD_FAILED or number == len(order.places):
                raise
            log.info("%s cannot be had from %s: %s", order.folder, place, error)
    raise download_failed("There is no place to get the model from.")


def _fetch_from(place: Place, order: FetchOrder, say: Say) -> Fetched:
    folder = Path(order.folder)
    source, wanted = _wanted(place, order)
    whole: dict[str, KnownFile] = {}
    meter = _Meter(say, sum(one.remote.size or 0 for one in wanted))
    for one in wanted:
        found = _found(folder / one.remote.path, one, order.here.get(one.remote.path, KnownFile()), meter)
        if found is not None:
            whole[one.remote.path] = found
    begun = {one.remote.path: _begun(folder / one.remote.path) for one in wanted if one.remote.path not in whole}
    _check_room(folder, meter.total - meter.done - sum(begun.values()))
    done = meter.done
    for one in wanted:
        if one.remote.path in whole:
            continue
        later = sum(size for path, size in begun.items() if path != one.remote.path and path not in whole)
        whole[one.remote.path] = _get(folder, one, order.stall, meter, done + later)
        done += whole[one.remote.path].size or 0
    meter.done = done
    meter.tell(now=True)
    return Fetched(whole, source)


def _wanted(place: Place, order: FetchOrder) -> tuple[str, list[_Wanted]]:
    """What the files' source is called, with its version, and the files."""
    if not place.hub:
        wanted = []
        for path, url in place.addresses.items():
            known = order.known.get(path, KnownFile())
            wanted.append(_Wanted(Remote(path, url, known.size, known.sha256), known.sha256, ""))
        return str(place), wanted
    from .fetch_hub import listing

    commit, files = listing(place, order.stall)
    wanted = []
    for file in files:
        known = order.known.get(file.remote.path, KnownFile())
        if known.sha256 and file.sha256 and known.sha256 != file.sha256:
            raise download_failed(
                f"{place.hub} now has another {file.remote.path!r} than the catalogue says.",
                "Update Tweenbridge, or correct models.toml.",
            )
        wanted.append(_Wanted(file.remote, known.sha256 or file.sha256, file.git))
    return f"{place.hub}@{commit}", wanted


def _found(path: Path, wanted: _Wanted, before: KnownFile, meter: _Meter) -> KnownFile | None:
    """The file, if it is here already and right, or what it was `before` where nothing else tells; a wrong one goes."""
    if not path.is_file():
        return None
    counted = meter.done
    size = wanted.remote.size if wanted.remote.size is not None else before.size
    if size is None or path.stat().st_size == size:
        known, git = hash_file(path, meter.add, with_git=bool(wanted.git))
        told = wanted.sha256 or wanted.git or before.sha256 in ("", known.sha256)
        if told and wanted.is_met(known.sha256, git):
            return known
    meter.done = counted
    path.unlink()
    return None


def _begun(path: Path) -> int:
    """Bytes of a file that are here from an earlier try."""
    part = path.with_name(path.name + ".part")
    return part.stat().st_size if part.is_file() else 0


def _check_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > 0 and needed + MARGIN > free:
        raise disk_full(needed, free)


def _get(folder: Path, wanted: _Wanted, stall: float, meter: _Meter, done: int) -> KnownFile:
    """Get one file, `done` being the bytes that count as done beside it; once more from the start if it is damaged."""
    from huggingface_hub.utils import get_session

    remote = wanted.remote
    with Partial(folder / remote.path, remote.size if wanted.git else None) as partial:

        def told() -> None:
            meter.done = done + partial.size
            meter.tell()

        def room(coming: int) -> None:
            if remote.size is None:
                meter.total = max(meter.total, done + partial.size + coming)
            _check_room(folder, coming)

        told()
        for again in (True, False):
            fetch(get_session(), remote, partial, stall, told, room)
            if wanted.is_met(partial.sha256, partial.git):
                return partial.finish()
            partial.restart()
            if again:
                log.warning("%s came damaged and is fetched once more.", remote.path)
    raise download_failed(
        f"{remote.path!r} came damaged twice: it is not what it should be.",
        "Try again later, or get the model from somewhere else and import it.",
    )


def check_model(order: CheckOrder, say: Say) -> Checked:
    """Read all files and compare them with what they should be."""
    folder = Path(order.folder)
    meter = _Meter(say, sum(known.size or 0 for known in order.files.values()))
    whole, damaged, missing = {}, [], []
    for path, known in order.files.items():
        git = order.git.get(path, "")
        try:
            found, its_git = hash_file(folder / path, meter.add, with_git=bool(git))
        except FileNotFoundError:
            missing.append(path)
            continue
        except OSError as error:
            log.warning("%s cannot be read: %s", folder / path, error)
            damaged.append(path)
            continue
        whole[path] = found
        right = known.sha256 in ("", found.sha256) and git == its_git and known.size in (None, found.size)
        if not right:
            damaged.append(path)
    return Checked(whole, tuple(damaged), tuple(missing))


def perform(order: FetchOrder | CheckOrder, say: Say) -> News:
    """Do what is ordered; errors, also those nobody thought of, become news."""
    try:
        return fetch_model(order, say) if isinstance(order, FetchOrder) else check_model(order, say)
    except TweenbridgeError as error:
        return Failed(error.info)
    except OSError as error:
        return Failed(_explain(error, Path(order.folder)).info)
    except Exception as error:
        log.exception("The helper met a mistake in the program.")
        return Failed(TweenbridgeError(ErrorCode.INTERNAL, f"The model could not be got ({error!r:.200}).").info)


def _explain(error: OSError, folder: Path) -> TweenbridgeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return TweenbridgeError(
            ErrorCode.DISK_FULL,
            "The disk is full: the model could not be written.",
            remedy="Free some disk space, then get the model again; what is here is kept.",
        )
    return download_failed(
        f"{error.filename or folder} cannot be written: {error.strerror or error}.",
        "Check that you may write to the folder for models.",
    )


def main() -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    # Every request is an info of the HTTP library's; signed addresses do not belong into a log.
    for name in ("httpx", "httpx2", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # What it warns of ends as an error of ours, or does not matter.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    news = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    order = from_line(sys.stdin.buffer.readline())

    def say(message: News) -> None:
        try:
            news.write(to_line(message) + "\n")
            news.flush()
        except OSError:
            os._exit(1)

    def leave_with_server() -> None:
        with ExitStack() as stack:
            stack.callback(os._exit, 1)
            sys.stdin.buffer.read()

    threading.Thread(target=leave_with_server, name="server", daemon=True).start()
    say(perform(order, say))
    news.close()
    os._exit(0)


if __name__ == "__main__":
    main()
