"""Previews as the client shows them: those it asked for, the newest, and nothing that breaks the limits."""

from __future__ import annotations

import pytest
from fakes.wire_server import Answer, FakeServer
from helpers import has, poll_for, poll_to_end, poll_until
from tweenbridge import Client, FrameArrived, JobHandle, JobProgress, PreviewArrived
from tweenbridge.protocol import messages as wire
from tweenbridge.protocol.limits import PREVIEW_BYTES

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def handle(server: FakeServer, client: Client, pictures: list[bytes]) -> JobHandle:
    """A job that has begun and goes no further by itself."""
    server.finishes = False
    handle = client.submit(pictures[:2], count=2, previews=True)
    poll_until(client, has(JobProgress))
    return handle


def push(
    server: FakeServer, job: str, gap: int = 0, time: float = 0.5, data: bytes | None = PNG, side: int = 64
) -> None:
    server.pushes.append(Answer(wire.Preview(job, gap, time, side, 48), data))


def shown(client: Client, seconds: float = 0.3) -> list[PreviewArrived]:
    return [event for event in poll_for(client, seconds) if isinstance(event, PreviewArrived)]


def test_previews_are_asked_for_and_arrive(server: FakeServer, client: Client, handle: JobHandle) -> None:
    (submit,) = [message for message in server.store.asked if isinstance(message, wire.Submit)]
    assert submit.previews
    asked = [message for message in server.store.asked if isinstance(message, wire.GetJob)]
    assert all(message.previews for message in asked)
    push(server, handle.id, gap=0, time=0.25)
    assert shown(client) == [PreviewArrived(handle.id, 0, 0.25, PNG)]


def test_who_does_not_ask_gets_none(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    poll_to_end(client, client.submit(pictures[:2], count=2))
    (submit,) = [message for message in server.store.asked if isinstance(message, wire.Submit)]
    assert not submit.previews


def test_only_the_newest_preview_of_a_gap_waits_for_the_caller(
    server: FakeServer, client: Client, handle: JobHandle
) -> None:
    for time in (0.1, 0.2, 0.3):
        push(server, handle.id, gap=0, time=time)
        push(server, handle.id, gap=1, time=time)
    for _ in range(60):
        client._step(0.005, lambda: False)  # time passes, but nobody takes the events
    assert [(event.gap, event.t) for event in shown(client)] == [(0, 0.3), (1, 0.3)]


def test_what_breaks_the_limits_is_ignored(server: FakeServer, client: Client, handle: JobHandle) -> None:
    push(server, "another job")
    push(server, handle.id, data=None)
    push(server, handle.id, data=bytes(PREVIEW_BYTES + 1))
    for side in (0, -1, 257):
        push(server, handle.id, side=side)
    push(server, handle.id, time=0.75)
    assert [event.t for event in shown(client)] == [0.75]


def test_a_preview_disturbs_no_frame(server: FakeServer, client: Client, handle: JobHandle) -> None:
    push(server, handle.id)
    job = server.store.jobs[handle.id]
    server.pushes.extend(server.finish(job, range(job.total)))
    push(server, handle.id)
    events = poll_to_end(client, handle)
    assert sum(isinstance(event, FrameArrived) for event in events) == 2
