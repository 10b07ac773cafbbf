"""The cluster as the pool of actors needs it: nodes, and hands to work with. `ray_layer` has the real one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tweenbridge.protocol.errors import ErrorInfo
from tweenbridge.protocol.messages import Scalar, WorkerInfo

from ..base import GapTask, TaskEvent
from .fitting import Wish
from .messages import NodeInfo


class Lost(Exception):
    """An actor, or its node, is gone. `str()` is one sentence."""


class Unfit(Exception):
    """A node cannot do a task: it lacks the model, or has another one."""

    def __init__(self, error: ErrorInfo) -> None:
        super().__init__(error.message)
        self.error = error


Heard = tuple[TaskEvent, bytes | None]
"""An event, and the frame's bytes for `Made`."""


class Hand(Protocol):
    """One actor. Methods that wait raise `Lost`."""

    def wait(self) -> int:
        """Wait until it has started: its process's id."""

    def run(self, task: GapTask, wish: Wish, spool: Path) -> Iterator[tuple[Sequence[Heard], WorkerInfo | None]]:
        """Do a task whose keyframes lie in that spool: what happens, as it comes, and how the worker is.

        Raises:
            Unfit: the node cannot do it.
        """

    def prepare(self, engine: str, profile: str, settings: dict[str, Scalar], wish: Wish) -> None:
        """Have it load what such tasks need. Does not wait."""

    def expect(self, name: str, spool: Path) -> None:
        """Bring a keyframe file there for a task that comes soon."""

    def cancel(self, task: str) -> None:
        """Stop a task. Does not wait."""

    def close(self) -> None:
        """End it and clear up behind it; waits a few seconds at most."""

    def kill(self) -> None:
        """End it at once."""


class Layer(Protocol):
    """The cluster."""

    def nodes(self) -> tuple[NodeInfo, ...]:
        """The nodes that are alive and may work, with what is on them. May wait for a few seconds."""

    def hire(self, node: NodeInfo, name: str, threads: int) -> Hand:
        """Have an actor started on a node. Does not wait."""
