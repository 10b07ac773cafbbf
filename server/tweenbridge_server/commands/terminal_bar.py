"""What the progress lines of commands have in common: a bar on a terminal, and nothing where there is none."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .console import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_Bar = TypeVar("_Bar", bound="TerminalBar")


class TerminalBar(AbstractContextManager["TerminalBar"]):
    """What happens, a bar, and a few words behind it."""

    def __init__(self, total: int | None, counted: bool = False) -> None:
        """A bar up to `total`, None while that is not known. Where `counted`, the steps done stand beside it."""
        self._stderr = console(stderr=True)
        self._total = total
        self._counted = counted
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self: _Bar) -> _Bar:
        if self._stderr.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            count = [MofNCompleteColumn()] if self._counted else []
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), *count, TextColumn("{task.fields[words]}"),
                console=self._stderr, transient=True,
            )  # fmt: skip
            self._task = self._progress.add_task("Connecting", total=self._total, words="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal."""
        return self._progress is not None

    def update(self, **changes: Any) -> None:
        """Change what is shown: `description`, `completed`, `total`, `words`."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, **changes)
