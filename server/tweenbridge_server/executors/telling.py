"""What an engine says while it makes a gap, on its way out: progress, notes and previews, each bounded."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tweenbridge.protocol.limits import PREVIEW_SIDE

from ..engines.base import Cancelled
from .base import Advanced, Noted, Previewed, TaskEvent

if TYPE_CHECKING:
    from ..engines.base import Image

log = logging.getLogger(__name__)

PROGRESS_INTERVAL = 0.05
"""Seconds between reports of the same stage."""
PREVIEW_INTERVAL = 0.5
"""Seconds between two previews of a task."""
MOST_NOTES = 20
"""Notes of a task; more are dropped."""
_LONGEST_NOTE = 1000
_LONGEST_WORDS = 100
"""Characters of a stage and of a note's code."""


class Telling:
    """The `Progress` of one task. Engines may also wrap it in plain callables of their own."""

    def __init__(
        self,
        tell: Callable[[TaskEvent], None],
        is_cancelled: Callable[[], bool],
        on_stage: Callable[[str], None] | None = None,
    ) -> None:
        """`on_stage` is called with every stage that is reported."""
        self._tell = tell
        self._on_stage = on_stage
        self._is_cancelled = is_cancelled
        self._reported = (0.0, "")
        self._previewed = -math.inf
        self._notes: set[tuple[str, str]] = set()
        self._complained = False

    def __call__(self, fraction: float, stage: str) -> None:
        """Report progress, unless the same stage was reported just now.

        Raises:
            Cancelled: the job was cancelled.
        """
        if self._is_cancelled():
            raise Cancelled
        if self._on_stage is not None:
            self._on_stage(stage)
        now = time.monotonic()
        last, last_stage = self._reported
        if stage != last_stage or now - last >= PROGRESS_INTERVAL:
            self._reported = (now, stage)
            share = min(float(fraction), 1.0) if fraction > 0 else 0.0
            self._tell(Advanced(share, str(stage)[:_LONGEST_WORDS]))

    def note(self, code: str, message: str) -> None:
        """Report a note, once each."""
        said = (str(code)[:_LONGEST_WORDS], str(message)[:_LONGEST_NOTE])
        if said in self._notes or len(self._notes) >= MOST_NOTES:
            return
        self._notes.add(said)
        self._tell(Noted(*said))

    def preview(self, t: float, pixels: Image) -> None:
        """Report a preview, unless the last one was just now. What is no picture is left out."""
        if time.monotonic() - self._previewed < PREVIEW_INTERVAL:
            return
        data = _encode(pixels)
        # From its end: on a slow machine, encoding previews would keep the engine from its work.
        self._previewed = time.monotonic()
        if data is not None and 0 <= t <= 1:
            self._tell(Previewed(float(t), *data))
        elif not self._complained:
            self._complained = True
            log.warning("The engine showed a preview that is no picture at a time between 0 and 1.")


def _encode(pixels: Image) -> tuple[int, int, bytes] | None:
    """Width, height and PNG bytes of a picture made small; None when it is none."""
    import cv2
    import numpy as np

    if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        return None
    longest = max(pixels.shape[:2])
    # Rough first: averaging all of a large picture would keep the engine waiting.
    step = max(1, longest // (2 * PREVIEW_SIDE))
    small = np.ascontiguousarray(pixels[::step, ::step], np.float32)
    longest = max(small.shape[:2])
    if longest > PREVIEW_SIDE:
        height, width = (max(1, round(side * PREVIEW_SIDE / longest)) for side in small.shape[:2])
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    levels = np.clip(np.nan_to_num(small) * 255 + 0.5, 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".png", levels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return (levels.shape[1], levels.shape[0], data.tobytes()) if done else None
