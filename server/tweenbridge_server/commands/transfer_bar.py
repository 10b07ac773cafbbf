"""The progress line of a download or check: what happens, a bar, bytes done, the rate and the time left."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from tweenbridge.protocol.models import ModelInfo, ModelState

from .console import console, duration, size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_WORDS = {
    ModelState.WAITING: "Waiting for other models",
    ModelState.DOWNLOADING: "Downloading",
    ModelState.VERIFYING: "Checking",
}


class TransferBar(AbstractContextManager["TransferBar"]):
    """Shows one model's download or check on a terminal; nothing where there is none."""

    def __init__(self) -> None:
        self._stderr = console(stderr=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> TransferBar:
        if self._stderr.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn

            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"),
                console=self._stderr, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("Connecting", total=None, words="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, info: ModelInfo) -> None:
        """Show how far it is."""
        if self._progress is None or self._task is None:
            return
        words = []
        if info.total:
            words.append(f"{size(info.done)} of {size(info.total)}")
        if info.rate:
            words.append(f"{size(info.rate)}/s")
        if info.eta is not None:
            words.append(f"{duration(info.eta)} left")
        self._progress.update(
            self._task, description=f"{_WORDS.get(info.state, info.state.value)} {info.title}",
            completed=info.done, total=info.total or None, words=", ".join(words),
        )  # fmt: skip
