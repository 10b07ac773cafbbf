"""Messages between server and worker."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge_server.executors.base import (
    Advanced,
    Computed,
    Failed,
    Finished,
    FrameOrder,
    GapTask,
    KeyframeFile,
    Made,
    Noted,
    Previewed,
    Related,
    Stopped,
    TaskEvent,
)
from tweenbridge_server.executors.pipe import (
    CancelTask,
    Command,
    Expect,
    Happened,
    PipeWriter,
    Prepare,
    Run,
    read_command,
    read_event,
)
from tweenbridge_server.jobs.plan import Relation

PNG = PixelFormat(Encoding.PNG)
TASK = GapTask(
    id="j/0/1", job="j", gap=0, spool=str(Path("spool")), engine="blend", profile="plain",
    settings={"on": True, "n": 3, "x": 0.5, "s": "word"},
    a=KeyframeFile("a.png", PNG, "keyframe 1"), b=KeyframeFile("b.png", PNG, "keyframe 2"),
    frames=(FrameOrder("k", 0.25), FrameOrder("l", 1.0)), output=PixelFormat(Encoding.EXR), identity="m",
    shot=(KeyframeFile("a.png", PNG, "keyframe 1"), KeyframeFile("b.png", PNG, "keyframe 2")),
)  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [Prepare("blend", "plain", {"model": "m", "n": 1}), Expect(TASK.a, "spool"), Run(TASK), CancelTask("j/0/1")],
)
def test_commands_arrive_as_sent(command: Command) -> None:
    pipe = io.BytesIO()
    PipeWriter(pipe).command(command)
    pipe.seek(0)
    assert read_command(pipe) == command
    assert read_command(pipe) is None


@pytest.mark.parametrize(
    "event",
    [
        Related(Relation.CUT),
        Made("k", PNG, "h", 9, Relation.MOTION),
        Advanced(0.5, "blending"),
        Noted("long", "The prompt is long."),
        Previewed(0.5, 4, 3, b"\x89PNG"),
        Computed(),
        Finished(),
        Failed(TweenbridgeError(ErrorCode.INTERNAL, "It broke.").info, "Traceback"),
        Stopped(),
    ],
)
def test_events_arrive_as_sent(event: TaskEvent) -> None:
    pipe = io.BytesIO()
    PipeWriter(pipe).happened("j/0/1", event)
    data = pipe.getvalue()
    assert read_event(io.BytesIO(data)) == Happened("j/0/1", event)
    for cut in range(len(data)):
        assert read_event(io.BytesIO(data[:cut])) is None
