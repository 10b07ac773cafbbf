"""The client and the real server: frames made, server killed in mid-job, two clients, resuming, starting and stopping.

These run on every interpreter at hand; the server always on the one that has what it needs.
"""

from __future__ import annotations

import os
import random
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.pictures import keyframe, size_of
from fakes.real_server import RealServer, server_command
from helpers import end_of, frames_of, has, poll_for, poll_to_end, poll_until
from tweenbridge import (
    Client,
    Connected,
    Disconnected,
    ErrorCode,
    JobChanged,
    JobEnded,
    JobProgress,
    JobsListed,
    JobState,
    KeyframeSource,
    ServerStarting,
    ServerStopping,
    Spacing,
    Timing,
    TweenbridgeError,
    read_address,
)

PICTURES = [keyframe(step, 320, 240) for step in (0, 2, 4)]


@pytest.fixture
def real(home: Path) -> Iterator[RealServer]:
    with RealServer(home) as made:
        yield made


def test_in_betweens_of_files(real: RealServer, tmp_path: Path) -> None:
    paths = []
    for index, data in enumerate(PICTURES):
        paths.append(tmp_path / f"{index}.png")
        paths[-1].write_bytes(data)
    progress: list[float] = []
    timing = Timing(count=4, spacing=Spacing.EASE_IN_OUT, hold=2)
    with Client(real.home, start_server=False) as client:
        frames = list(
            client.interpolate(
                paths, timing=timing, profile="draft", on_progress=lambda info: progress.append(info.fraction)
            )
        )
        assert client.jobs() == (), "released"
    assert [frame.slots for frame in frames] == [(1,), (2, 3), (4,)] * 2
    for frame in frames:
        assert size_of(bytes(frame.data)) == (320, 240)
        assert frame.save(tmp_path / "out" / f"{frame.index}").is_file()
    assert bytes(frames[1].data) not in PICTURES, "made, and not copied"
    assert progress == sorted(progress)


@pytest.mark.parametrize("seed", range(4))
def test_kill_minus_nine_in_mid_job_costs_no_frame(real: RealServer, seed: int) -> None:
    chance = random.Random(seed)
    with Client(real.home, start_server=False) as client:
        handle = client.submit(PICTURES, count=12, profile="draft")
        events = []
        for _ in range(2):
            events += poll_for(client, chance.uniform(0.0, 1.2))
            real.kill()
            events += poll_for(client, chance.uniform(0.0, 0.3))
            real.start()
        if end_of(events, handle) is None:
            events += poll_to_end(client, handle, timeout=60)
        frames = frames_of(events, handle)
        assert sorted(frame.index for frame in frames) == list(range(24)), "each frame exactly once"
        end = end_of(events, handle)
        assert end is not None and end.state is JobState.DONE


def test_a_restart_shows_as_another_epoch(real: RealServer) -> None:
    with Client(real.home, start_server=False) as client:
        (first,) = poll_until(client, has(Connected))
        real.kill()
        poll_until(client, has(Disconnected))
        real.start()
        events = poll_until(client, has(Connected))
    assert isinstance(first, Connected) and isinstance(events[-1], Connected)
    assert (first.restarted, events[-1].restarted) == (False, True)
    assert first.epoch != events[-1].epoch


def test_two_clients_at_once(real: RealServer) -> None:
    with Client(real.home, start_server=False, name="one") as one, Client(real.home, start_server=False) as two:
        first = one.submit(PICTURES, count=3, profile="draft", title="Mine")
        second = two.submit(PICTURES[::-1], count=4, profile="draft")
        two.watch()
        theirs = poll_to_end(two, second, 60)
        mine = poll_to_end(one, first, 60)
        assert len(frames_of(mine, first)) == 6
        assert len(frames_of(theirs, second)) == 8
        assert two.job(first.id).state is JobState.DONE
        theirs += poll_for(two, 0.3)
        listed = [event for event in theirs if isinstance(event, JobsListed)]
        changed = [event.job for event in theirs if isinstance(event, JobChanged)]
        assert listed and first.id in [info.job for info in listed[0].jobs] + changed
        assert {info.title for info in two.jobs()} == {"Mine", ""}


def test_the_same_job_by_two_clients_is_one_job(real: RealServer) -> None:
    with Client(real.home, start_server=False) as one, Client(real.home, start_server=False) as two:
        first = one.submit(PICTURES, count=3, profile="draft", job="shared")
        second = two.submit(PICTURES, count=3, profile="draft", job="shared")
        assert len(frames_of(poll_to_end(one, first, 60), first)) == 6
        assert len(frames_of(poll_to_end(two, second, 60), second)) == 6
        other = two.submit(PICTURES, count=4, profile="draft", job="shared")
        end = end_of(poll_to_end(two, other), other)
        assert end is not None and end.error is not None and end.error.code is ErrorCode.CONFLICT
        assert len(one.jobs()) == 1


def test_an_abandoned_run_is_resumed_by_the_same_call(real: RealServer) -> None:
    with Client(real.home, start_server=False) as client:
        frames = client.interpolate(PICTURES, count=10, profile="draft", resume=True)
        first = next(frames)
        frames.close()
        (info,) = client.jobs()
        assert info.state in (JobState.CANCELLED, JobState.DONE)
        again = list(client.interpolate(PICTURES, count=10, profile="draft", resume=True))
        assert [frame.index for frame in again] == list(range(20))
        assert (again[0].job, again[0].sha256) == (first.job, first.sha256)


def test_raw_rows_go_in_and_come_back(real: RealServer) -> None:
    from tweenbridge import Encoding, PixelFormat, SampleType

    form = PixelFormat(Encoding.RAW, width=64, height=48, channels=4, dtype=SampleType.UINT8)
    dark, bright = bytes((20, 40, 60, 255)) * (64 * 48), bytes((60, 80, 100, 255)) * (64 * 48)
    sources = [KeyframeSource(dark, 0, form), KeyframeSource(bright, 2, form)]
    with Client(real.home, start_server=False) as client:
        (frame,) = client.interpolate(sources, profile="draft")
    assert frame.format.encoding is Encoding.RAW
    assert len(frame.data) == form.raw_size()


def test_mistakes_come_back_with_a_sentence(real: RealServer) -> None:
    with Client(real.home, start_server=False) as client:
        for arguments, code in (
            ({"engine": "magic"}, ErrorCode.BAD_REQUEST),
            ({"profile": "magic"}, ErrorCode.BAD_REQUEST),
            ({"settings": {"magic": 1}}, ErrorCode.BAD_REQUEST),
        ):
            with pytest.raises(TweenbridgeError, match="magic") as caught:
                list(client.interpolate(PICTURES, count=1, **arguments))
            assert caught.value.code is code
        with pytest.raises(TweenbridgeError, match="2") as caught:
            list(client.interpolate([PICTURES[0], PICTURES[1][:200]], count=1))
        assert caught.value.code is ErrorCode.BAD_KEYFRAME
        assert len(list(client.interpolate(PICTURES, count=1, profile="draft"))) == 2, "and the server is well"


def test_the_server_is_started_when_asked_of_and_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", " ".join(shlex.quote(word) for word in server_command()))
    with Client(home) as client:
        assert not has(ServerStarting)(poll_for(client, 0.3)), "nothing was asked of it yet"
        seen: list[object] = []
        frames = list(client.interpolate(PICTURES, count=1, profile="draft", on_event=seen.append))
        assert len(frames) == 2
        assert [type(event) for event in seen][-2:] == [ServerStarting, Connected]
        with Client(home, name="other") as other:
            poll_until(other, has(Connected))
            client.stop_server()
            assert read_address(home) is None
            events = poll_until(other, has(Disconnected))
            assert has(ServerStopping)(events)
            assert not has(ServerStarting)(poll_for(other, 0.5)), "a server that was stopped stays stopped"
        assert not has(ServerStarting)(poll_for(client, 0.3))
        assert client.status().pid > 0, "until something is asked again"
        client.stop_server()


def test_a_killed_server_is_started_again_for_a_job_in_hand(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", " ".join(shlex.quote(word) for word in server_command()))
    with Client(home) as client:
        handle = client.submit(PICTURES, count=12, profile="draft")
        events = poll_until(client, has(JobProgress))
        os.kill(client.status().pid, 9)
        events += poll_to_end(client, handle, 60)
        client.stop_server()
    assert sorted(frame.index for frame in frames_of(events, handle)) == list(range(24))
    assert sum(isinstance(event, ServerStarting) for event in events) == 2
    assert isinstance(events[-1], JobEnded) and events[-1].state is JobState.DONE
