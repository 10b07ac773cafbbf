"""The client and a server that vanishes, comes back, hesitates, repeats itself or talks nonsense."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import msgpack
import pytest
from fakes.wire_server import Answer, FakeServer, Store, error
from helpers import end_of, frames_of, has, poll_for, poll_to_end, poll_until
from tweenbridge import (
    Client,
    Connected,
    Disconnected,
    ErrorCode,
    JobProgress,
    JobState,
    ServerStopping,
    TweenbridgeError,
    connection,
    dialogue,
    job,
    link,
)
from tweenbridge.protocol import messages as wire


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long waits made short, so that the tests need not sit them out."""
    monkeypatch.setattr(dialogue, "ANSWER_WITHIN", 0.5)
    monkeypatch.setattr(job, "RESYNC_AFTER", 0.3)
    monkeypatch.setattr(link, "LAST_BACKOFF", 0.4)


@pytest.mark.parametrize("seed", range(12))
def test_a_server_killed_at_any_moment_costs_no_frame(home: Path, pictures: list[bytes], seed: int) -> None:
    """The server vanishes three times at random moments and comes back with its store, on another port."""
    chance = random.Random(seed)
    store = Store()
    servers = [FakeServer(home, store, frame_size=200_000).__enter__()]
    with Client(home, start_server=False) as client:
        handle = client.submit(pictures, count=20)
        events = poll_for(client, chance.uniform(0.0, 0.06))
        for _ in range(3):
            servers[-1].kill()
            events += poll_for(client, chance.uniform(0.0, 0.3))
            servers.append(FakeServer(home, store, frame_size=200_000).__enter__())
            events += poll_for(client, chance.uniform(0.0, 0.3))
        if end_of(events, handle) is None:
            events += poll_to_end(client, handle)
    servers[-1].__exit__()
    frames = frames_of(events, handle)
    assert sorted(frame.index for frame in frames) == list(range(40)), "each frame exactly once"
    end = end_of(events, handle)
    assert end is not None and end.state is JobState.DONE
    assert len(store.jobs) == 1


def test_a_restart_is_an_event_and_nothing_is_fetched_twice(home: Path, pictures: list[bytes]) -> None:
    store = Store()
    first = FakeServer(home, store, finishes=False).__enter__()
    with Client(home, start_server=False) as client:
        handle = client.submit(pictures[:2], count=6)
        poll_until(client, has(JobProgress))
        first.pushes.extend(first.finish(store.jobs[handle.id], [0, 1, 2]))
        events = poll_until(client, lambda e: len(frames_of(e, handle)) == 3)
        first.kill()
        events += poll_until(client, has(Disconnected))
        with FakeServer(home, store):
            events += poll_to_end(client, handle)
    connected = [event for event in events if isinstance(event, Connected)]
    assert [event.restarted for event in connected] == [True]
    assert sorted(store.fetched()) == [0, 1, 2, 3, 4, 5]
    assert store.count(wire.Put) == 2


def test_the_blocking_call_bridges_a_restart(home: Path, pictures: list[bytes]) -> None:
    store = Store()
    first = FakeServer(home, store, finishes=False).__enter__()
    second = FakeServer(home, store)

    def restart() -> None:
        first.kill()
        time.sleep(0.3)
        second.__enter__()

    threading.Timer(0.3, restart).start()
    with Client(home, start_server=False) as client:
        assert [frame.index for frame in client.interpolate(pictures, count=3)] == list(range(6))
    second.__exit__()


def test_a_job_cancelled_by_somebody_else_meanwhile_stays_cancelled(home: Path, pictures: list[bytes]) -> None:
    store = Store()
    first = FakeServer(home, store, finishes=False).__enter__()
    with Client(home, start_server=False) as client:
        handle = client.submit(pictures, count=6)
        poll_until(client, has(JobProgress))
        first.kill()
        store.jobs[handle.id].state = JobState.CANCELLED
        with FakeServer(home, store):
            end = end_of(poll_to_end(client, handle), handle)
        assert end is not None and end.state is JobState.CANCELLED
        assert store.jobs[handle.id].state is JobState.CANCELLED


def test_a_cancel_while_the_server_is_away_is_delivered(home: Path, pictures: list[bytes]) -> None:
    store = Store()
    first = FakeServer(home, store, finishes=False).__enter__()
    with Client(home, start_server=False) as client:
        handle = client.submit(pictures, count=6)
        poll_until(client, has(JobProgress))
        first.kill()
        poll_until(client, has(Disconnected))
        handle.cancel()
        with FakeServer(home, store, finishes=False):
            end = end_of(poll_to_end(client, handle), handle)
        assert end is not None and end.state is JobState.CANCELLED
    assert store.jobs[handle.id].state is JobState.CANCELLED


def test_a_job_that_the_server_forgot_is_submitted_again(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home) as server, Client(home, start_server=False) as client:

        def forget_once(message: wire.Message) -> None:
            if server.store.count(wire.Fetch) == 2:
                server.store.jobs.clear()

        server.rules[wire.Fetch] = forget_once
        handle = client.submit(pictures[:2], count=5)
        events = poll_to_end(client, handle)
        assert sorted(frame.index for frame in frames_of(events, handle)) == [0, 1, 2, 3, 4]
        assert server.store.count(wire.Submit) == 2


def test_busy_is_waited_for_as_long_as_it_takes(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    refusals = iter(range(7))
    moments: list[float] = []

    def busy(message: wire.Message) -> list[Answer] | None:
        moments.append(time.monotonic())
        return [error(ErrorCode.BUSY, retry_after=0.1)] if next(refusals, None) is not None else None

    server.rules[wire.Submit] = busy
    assert len(list(client.interpolate(pictures, count=2))) == 4
    assert len(moments) == 8
    assert min(later - earlier for earlier, later in zip(moments, moments[1:])) >= 0.1


@pytest.mark.parametrize("kind", [wire.Put, wire.Fetch, wire.GetJob, wire.Cancel])
def test_every_request_bears_busy(server: FakeServer, client: Client, pictures: list[bytes], kind: type) -> None:
    refusals = iter(range(2))
    server.rules[kind] = lambda _m: [error(ErrorCode.BUSY, retry_after=0.05)] if next(refusals, None) == 0 else None
    server.finishes = kind is not wire.Cancel
    handle = client.submit(pictures, count=2)
    if kind is wire.Cancel:
        poll_until(client, has(JobProgress))
        handle.cancel()
    end = end_of(poll_to_end(client, handle), handle)
    assert end is not None and end.state is (JobState.CANCELLED if kind is wire.Cancel else JobState.DONE)


@pytest.mark.parametrize("kind", [wire.Submit, wire.Put, wire.Fetch, wire.GetJob])
def test_a_request_that_is_never_answered_is_sent_again(
    server: FakeServer, client: Client, pictures: list[bytes], kind: type
) -> None:
    drops = iter(range(1))
    server.rules[kind] = lambda _message: [] if next(drops, None) is not None else None
    handle = client.submit(pictures, count=2)
    events = poll_to_end(client, handle)
    assert sorted(frame.index for frame in frames_of(events, handle)) == [0, 1, 2, 3]


def test_lost_hints_are_made_up_for(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False
    handle = client.submit(pictures[:2], count=3)
    poll_until(client, has(JobProgress))
    server.finish(server.store.jobs[handle.id], range(3))  # and nobody is told
    events = poll_to_end(client, handle)
    assert len(frames_of(events, handle)) == 3


def test_repeated_answers_do_no_harm(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    usual = server._usual

    def twice(peer: bytes, message: wire.Message, data: bytes) -> list[Answer]:
        answers = usual(peer, message, data)
        return answers if isinstance(message, (wire.Hello, wire.Prove)) else answers * 2

    server._usual = twice  # type: ignore[method-assign]
    handle = client.submit(pictures, count=5)
    events = poll_to_end(client, handle)
    assert [frame.index for frame in frames_of(events, handle)] == list(range(10))


def test_nonsense_is_ignored(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    def babble(message: wire.Message) -> None:
        (peer,) = server._sessions
        for parts in (
            [b"\xc1"],
            [b""],
            [msgpack.packb(["a list"])],
            [msgpack.packb({"v": 1, "t": "sing", "id": 900})],
            [msgpack.packb({"v": 9, "t": "pong", "id": 901})],
            [msgpack.packb({"v": 1, "t": "frame", "id": 902, "re": 10**6})],
            [msgpack.packb({"v": 1, "t": "pong", "id": 903}), b"", b"three parts"],
            [bytes(70_000)],
        ):
            server.send_raw(peer, parts)

    server.rules[wire.Submit] = babble
    server.rules[wire.Fetch] = babble
    assert len(list(client.interpolate(pictures, count=2))) == 4


def test_an_answer_that_cannot_be_read_is_an_error_and_not_a_wait(server: FakeServer, client: Client) -> None:
    def garbled(message: wire.Message) -> list[Answer]:
        (peer,) = server._sessions
        server.send_raw(peer, [msgpack.packb({"v": 1, "t": "engines", "id": 900, "re": 3, "engines": 5})])
        return []

    server.rules[wire.GetEngines] = garbled
    with pytest.raises(TweenbridgeError) as caught:
        client.engines(timeout=5)
    assert caught.value.code is ErrorCode.BAD_MESSAGE


def test_a_server_that_answers_with_something_else_fails_the_job(
    server: FakeServer, client: Client, pictures: list[bytes]
) -> None:
    server.rules[wire.Submit] = lambda _message: [Answer(wire.Pong())]
    end = end_of(poll_to_end(client, handle := client.submit(pictures, count=2)), handle)
    assert end is not None and end.error is not None
    assert end.error.code is ErrorCode.BAD_MESSAGE


@pytest.mark.parametrize("code", [ErrorCode.CONFLICT, ErrorCode.DISK_FULL, ErrorCode.BAD_REQUEST])
def test_what_cannot_be_mended_ends_the_job(
    server: FakeServer, client: Client, pictures: list[bytes], code: ErrorCode
) -> None:
    server.rules[wire.Submit] = lambda _message: [error(code, "Because.")]
    with pytest.raises(TweenbridgeError, match="Because") as caught:
        list(client.interpolate(pictures, count=2))
    assert caught.value.code is code
    assert server.store.count(wire.Submit) == 1


def test_a_failed_job_says_why(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False
    handle = client.submit(pictures, count=2)
    poll_until(client, has(JobProgress))
    reason = TweenbridgeError(ErrorCode.OUT_OF_MEMORY, "There is not enough memory.").info
    stored = server.store.jobs[handle.id]
    stored.state = JobState.FAILED
    info = wire.JobInfo(handle.id, JobState.FAILED, 4, 0, "flow", "draft", error=reason)
    server.pushes.append(Answer(wire.Progress(info)))
    end = end_of(poll_to_end(client, handle), handle)
    assert end is not None and end.error == reason


def test_a_session_that_the_server_closed_is_opened_again(
    server: FakeServer, client: Client, pictures: list[bytes]
) -> None:
    server.finishes = False
    handle = client.submit(pictures, count=2)
    poll_until(client, has(JobProgress))
    server.pushes.append(error(ErrorCode.UNAUTHORIZED, "Nothing was heard for too long."))
    events = poll_until(client, has(Connected))
    assert not any(isinstance(event, Connected) and event.restarted for event in events)
    server.pushes.extend(server.finish(server.store.jobs[handle.id], range(4)))
    events = poll_to_end(client, handle)
    assert len(frames_of(events, handle)) == 4


def test_a_server_that_falls_silent_is_given_up_and_found_again(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_AFTER", 0.2)
    monkeypatch.setattr(connection, "DEAD_AFTER", 0.6)
    poll_until(client, has(Connected))
    poll_for(client, 1.0)
    assert server.store.count(wire.Ping) >= 3, "an idle session is kept alive"
    server.deaf = True
    events = poll_until(client, has(Disconnected))
    assert isinstance(events[-1], Disconnected) and events[-1].error.code is ErrorCode.TIMED_OUT
    server.deaf = False
    poll_until(client, has(Connected))


def test_a_client_that_only_listens_gives_signs_of_life(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server judges a session by what it hears; hints flowing the other way do not count."""
    monkeypatch.setattr(connection, "PING_AFTER", 0.2)
    poll_until(client, has(Connected))
    for _ in range(20):
        server.pushes.append(Answer(wire.Progress(wire.JobInfo("other", JobState.RUNNING, 3, 1, "flow", "draft"))))
        poll_for(client, 0.05)
    assert server.store.count(wire.Ping) >= 3


def test_a_caller_that_was_away_does_not_take_its_absence_for_silence(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_AFTER", 0.1)
    monkeypatch.setattr(connection, "DEAD_AFTER", 0.3)
    poll_until(client, has(Connected))
    time.sleep(0.15)
    client.poll(0)
    time.sleep(0.6)
    assert poll_for(client, 0.3) == []


def test_a_stop_by_somebody_else_is_reported_once(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home) as server, Client(home, start_server=False) as client:
        poll_until(client, has(Connected))
        server.pushes += [Answer(wire.Stopping()), Answer(wire.Stopping())]
        events = poll_for(client, 0.2)
        assert events == [ServerStopping()]


def test_a_last_word_is_heard_though_the_connection_has_ended(home: Path) -> None:
    server = FakeServer(home).__enter__()
    with Client(home, start_server=False) as client:
        poll_until(client, has(Connected))
        server.pushes.append(Answer(wire.Stopping()))
        time.sleep(0.2)
        server.kill()
        time.sleep(0.2)
        events = poll_until(client, has(Disconnected))
    assert [type(event) for event in events] == [ServerStopping, Disconnected]


def test_without_a_server_calls_say_so_at_once(client: Client, pictures: list[bytes]) -> None:
    start = time.monotonic()
    with pytest.raises(TweenbridgeError) as caught:
        client.status()
    assert caught.value.code is ErrorCode.NOT_RUNNING
    with pytest.raises(TweenbridgeError) as caught:
        list(client.interpolate(pictures, count=1))
    assert caught.value.code is ErrorCode.NOT_RUNNING
    assert time.monotonic() - start < 2.0


def test_trouble_is_reported_once_and_not_at_every_attempt(home: Path) -> None:
    with Client(home, start_server=False) as client:
        events = poll_for(client, 1.5)
    assert [type(event) for event in events] == [Disconnected]


def test_who_does_not_want_to_wait_for_the_next_attempt_has_it_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "FIRST_BACKOFF", 3600.0)
    monkeypatch.setattr(link, "LAST_BACKOFF", 3600.0)
    with Client(home, start_server=False) as client:
        poll_until(client, has(Disconnected))
        assert not client.connecting
        with FakeServer(home):
            client.poll(0)
            assert not client.connecting
            client.retry()
            client.poll(0)
            assert client.connecting
            poll_until(client, has(Connected))
            assert not client.connecting
            client.retry()
            assert client.server is not None, "an open session is left alone"


def test_a_job_waits_for_a_server_that_comes_later(home: Path, pictures: list[bytes]) -> None:
    with Client(home, start_server=False) as client:
        handle = client.submit(pictures, count=2)
        poll_until(client, has(Disconnected))
        with FakeServer(home):
            assert len(frames_of(poll_to_end(client, handle), handle)) == 4
