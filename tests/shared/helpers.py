"""Driving a client from a test as a host application does: poll, look, poll again."""

from __future__ import annotations

import time
from collections.abc import Callable

from tweenbridge import Client, Event, Frame, FrameArrived, JobEnded, JobHandle


def poll_until(client: Client, done: Callable[[list[Event]], bool], timeout: float = 20.0) -> list[Event]:
    """Poll until the events so far satisfy `done`; all events."""
    events: list[Event] = []
    end = time.monotonic() + timeout
    while not done(events):
        assert time.monotonic() < end, f"did not happen; so far: {events}"
        events += client.poll(0.005)
    return events


def poll_for(client: Client, seconds: float) -> list[Event]:
    """Poll for a while; all events."""
    end = time.monotonic() + seconds
    events: list[Event] = []
    while time.monotonic() < end:
        events += client.poll(0.005)
    return events


def poll_to_end(client: Client, handle: JobHandle, timeout: float = 20.0) -> list[Event]:
    """Poll until the job has ended."""
    return poll_until(client, lambda events: end_of(events, handle) is not None, timeout)


def end_of(events: list[Event], handle: JobHandle) -> JobEnded | None:
    """The job's last event, if it came."""
    return next((event for event in events if isinstance(event, JobEnded) and event.job == handle.id), None)


def frames_of(events: list[Event], handle: JobHandle) -> list[Frame]:
    """The job's frames, in order of arrival."""
    return [event.frame for event in events if isinstance(event, FrameArrived) and event.job == handle.id]


def has(kind: type) -> Callable[[list[Event]], bool]:
    """Whether an event of a kind has come."""
    return lambda events: any(isinstance(event, kind) for event in events)
