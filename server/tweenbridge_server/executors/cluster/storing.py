"""Frames that come from a node, on their way into the server's spool: checked as if they had been made here."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...jobs.plan import Relation
from ...jobs.spool import Spool, hash_file
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
        spool.publish(path, spool.frame_path(made.key, made.format))


def already_there(task: GapTask) -> tuple[Made, ...]:
    """The frames of a task that lie in the spool: made before, and not told of."""
    spool = Spool(Path(task.spool))
    found = ((frame.key, spool.find_frame(frame.key)) for frame in task.frames)
    return tuple(
        # How the keyframes relate is not known yet.
        Made(key, file.format, hash_file(Path(file.place)), file.size, Relation.MOTION)
        for key, file in found
        if file is not None
    )
