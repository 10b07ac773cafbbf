"""What is kept when something fails: a folder for whoever has to find out why, and a sentence that says where it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import psutil

FOLDER = Path(__file__).resolve().parents[2] / "build" / "chaos"
kept: list[str] = []
"""The sentences of this run; conftest.py has pytest print them last."""


def keep(name: str, base: Path, home: Path, error: BaseException, processes: Iterable[int]) -> Path:
    """Copy what there is of a site, before it is cleared away. Returns the folder.

    It has `failure.txt` (what was wrong, and how to run it again), `timeline.txt` (what happened when),
    `processes.txt`, the server's data folder `home` with its logs, job list and spool, and plans, journals and last
    words of the clients.

    Args:
        name: what the folder is called; one that is there is replaced.
        base: the site's folder.
        home: the server's data folder.
        error: what failed.
        processes: the ids of those to be described.
    """
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    failure = str(error).strip() or repr(error)
    (folder / "failure.txt").write_text(f"{failure}\n")
    (folder / "processes.txt").write_text("".join(f"{_described(pid)}\n" for pid in processes))
    for path in base.iterdir():
        if path.is_file():
            _copy(path, folder / path.name)
    for path in home.rglob("*"):
        if path.is_file():
            _copy(path, folder / "home" / path.relative_to(home))
    kept.append(f"{name}: {failure.splitlines()[0]} What was seen is in {folder}.")
    return folder


def _copy(path: Path, target: Path) -> None:
    """Copy a file that may be gone in the next moment."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    except OSError as error:
        print(f"{path} could not be kept: {error}")


def _described(pid: int) -> str:
    """A process in a line: its state, its processor seconds and its command."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            used = process.cpu_times()
            command = " ".join(process.cmdline())
            return f"{pid}  {process.status()}  {used.user + used.system:.1f} s  {command}"
    except psutil.Error:
        return f"{pid}  is gone"
