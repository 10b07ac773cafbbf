"""All keyframes of a job for an engine that looks at the whole shot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from ..engines.base import Image
from .base import KeyframeFile


class Shot(Sequence[Image]):
    """A job's keyframes in order, each decoded whenever it is asked for; nothing is kept, so memory stays flat."""

    def __init__(self, keyframes: Sequence[KeyframeFile], read: Callable[[KeyframeFile], Image]) -> None:
        self._keyframes = tuple(keyframes)
        self._read = read

    def __len__(self) -> int:
        return len(self._keyframes)

    @overload
    def __getitem__(self, index: int) -> Image: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Image]: ...

    def __getitem__(self, index: int | slice) -> Image | Sequence[Image]:
        if isinstance(index, slice):
            return Shot(self._keyframes[index], self._read)
        return self._read(self._keyframes[index])
