"""The progress line of a download or check: what happens, a bar, bytes done, the rate and the time left."""

from __future__ import annotations

from tweenbridge.protocol.models import ModelInfo, ModelState

from .console import duration, size
from .terminal_bar import TerminalBar

_WORDS = {
    ModelState.WAITING: "Waiting for other models",
    ModelState.DOWNLOADING: "Downloading",
    ModelState.VERIFYING: "Checking",
}


class TransferBar(TerminalBar):
    """Shows one model's download or check on a terminal; nothing where there is none."""

    def __init__(self) -> None:
        super().__init__(None)

    def show(self, info: ModelInfo) -> None:
        """Show how far it is."""
        words = []
        if info.total:
            words.append(f"{size(info.done)} of {size(info.total)}")
        if info.rate:
            words.append(f"{size(info.rate)}/s")
        if info.eta is not None:
            words.append(f"{duration(info.eta)} left")
        self.update(
            description=f"{_WORDS.get(info.state, info.state.value)} {info.title}",
            completed=info.done,
            total=info.total or None,
            words=", ".join(words),
        )
