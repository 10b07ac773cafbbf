"""Frames that come from a node, on their way into the server's spool: checked as if they had been made here."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...jobs.plan import Relation
from ...jobs.spool import Spool
from ..base import GapTask, Made


class Damaged(Exception):
    """A frame's bytes are not those that were made."""


def store(spool: Spool, made: Made, data: bytes) -> None:
    """Give a frame's bytes their place.

    Raises:
        Damaged: they are others than the node has said.
        OSError: the disk is full, or worse.
    """
    if len(data) != made.size or hashlib.sha256(data).hexdigest() != made.sha256:
        raise Damaged(f"Frame {made.key[:12]} came damaged.")
    with spool.new_file(".part") as path:
        path.write_bytes(data)
        spool.publish(path, spool.frame_path(made.key, made.format, made.sha256))


def already_there(task: GapTask) -> tuple[Made, ...]:
    """The frames of a task that lie in the spool: made before, and not told of."""
    spool = Spool(Path(task.spool))
    found = (spool.intact_frame(frame.key) for frame in task.frames)
    # How the keyframes relate is not known yet.
    return tuple(Made(file.key, file.format, file.sha256, file.size, Relation.MOTION) for file in found if file)
