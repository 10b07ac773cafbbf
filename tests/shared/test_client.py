"""The client and a server that behaves: jobs, frames, questions, memory, and calls that never wait."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq
from fakes.wire_server import Answer, FakeServer, frame_bytes
from helpers import end_of, frames_of, has, poll_for, poll_to_end, poll_until
from tweenbridge import (
    Client,
    Connected,
    Encoding,
    ErrorCode,
    FrameArrived,
    JobChanged,
    JobProgress,
    JobsListed,
    JobState,
    KeyframeSource,
    Limits,
    PixelFormat,
    SampleType,
    Timing,
    TweenbridgeError,
    job_id_for,
    make_order,
    read_address,
)
from tweenbridge.protocol import messages as wire


def test_interpolate_yields_every_frame_in_time_order(
    server: FakeServer, client: Client, pictures: list[bytes]
) -> None:
    frames = list(client.interpolate(pictures, count=3, timing=Timing(hold=2)))
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [(frame.gap, frame.t) for frame in frames] == [(0, 0.0), (0, 0.5), (1, 0.0), (1, 0.5)]
    assert [frame.slots for frame in frames] == [(1,), (2, 3), (1,), (2, 3)]
    assert [frame.positions for frame in frames] == [(1,), (2, 3), (5,), (6, 7)]
    for frame in frames:
        assert bytes(frame.data) == frame_bytes(frame.job, frame.index, server.frame_size)
    assert server.store.jobs == {}, "a job whose frames were all taken is released"


def test_frames_are_saved_whole_and_under_a_fitting_name(
    server: FakeServer, client: Client, pictures: list[bytes], tmp_path: Path
) -> None:
    (frame,) = client.interpolate(pictures[:2], count=1)
    saved = frame.save(tmp_path / "new" / "in-between")
    assert saved == tmp_path / "new" / "in-between.png"
    assert saved.read_bytes() == bytes(frame.data)
    assert list(saved.parent.iterdir()) == [saved]
    with pytest.raises(TweenbridgeError, match="PNG") as caught:
        frame.save(tmp_path / "in-between.jpg")
    assert caught.value.code is ErrorCode.BAD_REQUEST


def test_keyframes_are_paths_bytes_and_sources_alike(
    server: FakeServer, client: Client, pictures: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(pictures[0])
    (tmp_path / "b.png").write_bytes(pictures[1])
    raw = PixelFormat(Encoding.RAW, width=4, height=2, channels=3, dtype=SampleType.UINT8)
    handle = client.submit(
        [
            KeyframeSource(str(tmp_path / "a.png"), position=10),
            KeyframeSource(tmp_path / "b.png", position=13, name="second"),
            KeyframeSource(memoryview(bytearray(24)), position=20, format=raw),
        ]
    )
    events = poll_to_end(client, handle)
    assert [frame.positions for frame in frames_of(events, handle)][:3] == [(11,), (12,), (14,)]
    (submit,) = [message for message in server.store.asked if isinstance(message, wire.Submit)]
    first, second, third = submit.request.keyframes
    assert (first.name, first.position, first.size) == ("a.png", 10, len(pictures[0]))
    assert (second.name, second.format) == ("second", PixelFormat(Encoding.PNG))
    assert third.format == raw


def test_frames_come_in_order_though_answers_do_not(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    kept: list[wire.Fetch] = []

    def swap(message: wire.Message) -> list[Answer] | None:
        """Answer each second fetch first."""
        assert isinstance(message, wire.Fetch)
        if message.frame % 2 == 0:
            kept.append(message)
            return []
        (peer,) = server._sessions
        number = server.last_id
        for answer in server._in_session(message, b""):
            server._send(peer, answer.message, number, answer.data)
        for answer in server._in_session(kept.pop(), b""):
            server._send(peer, answer.message, number - 1, answer.data)
        return []

    server.rules[wire.Fetch] = swap
    frames = client.interpolate(pictures[:2], count=10)
    assert [frame.index for frame in frames] == list(range(10))
    assert server.store.count(wire.Fetch) == 10


def test_drawings_from_an_earlier_session_are_not_fetched(
    server: FakeServer, client: Client, pictures: list[bytes]
) -> None:
    handle = client.submit(pictures[:2], count=6, have=[0, 1, 4])
    events = poll_to_end(client, handle)
    assert [frame.index for frame in frames_of(events, handle)] == [2, 3, 5]
    assert handle.received == handle.total == 6


def test_only_what_the_server_lacks_is_put(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    first = client.submit(pictures, count=1, job="one")
    poll_to_end(client, first)
    assert server.store.count(wire.Put) == 3
    again = client.submit(pictures, count=1, job="one")
    events = poll_to_end(client, again)
    assert server.store.count(wire.Put) == 3
    assert len(frames_of(events, again)) == 2


def test_at_most_two_frames_are_asked_for_and_not_taken(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home) as server, Client(home, start_server=False) as client:
        handle = client.submit(pictures[:2], count=50)
        poll_until(client, has(JobProgress))
        for _ in range(50):
            client._step(0.005, lambda: False)  # time passes, but nobody takes the events
        assert server.store.count(wire.Fetch) == 2
        events = poll_to_end(client, handle)
        assert sorted(frame.index for frame in frames_of(events, handle)) == list(range(50))


def test_memory_stays_flat_while_a_slow_reader_takes_large_frames(home: Path, pictures: list[bytes]) -> None:
    """40 frames of 8 MB through a client that must never hold more than a few."""
    size = 8_000_000
    with FakeServer(home, frame_size=size) as server, Client(home, start_server=False) as client:
        most = 0
        for count, frame in enumerate(client.interpolate(pictures[:2], count=40), start=1):
            assert len(frame.data) == size
            asked = server.store.count(wire.Fetch)
            most = max(most, asked - count)
        assert count == 40
        assert most <= 2


def test_keyframe_files_are_read_one_at_a_time(home: Path, tmp_path: Path) -> None:
    paths = []
    for i in range(6):
        path = tmp_path / f"{i}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([i]) * 1000)
        paths.append(path)
    waiting: list[int] = []
    with FakeServer(home) as server, Client(home, start_server=False) as client:

        def count(message: wire.Message) -> None:
            puts = server.store.count(wire.Put)
            waiting.append(puts - sum(len(job.data) for job in server.store.jobs.values()))

        server.rules[wire.Put] = count
        poll_to_end(client, client.submit(paths, count=1))
    assert waiting == [1] * 6


def test_two_jobs_share_the_window(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home) as server, Client(home, start_server=False) as client:
        first = client.submit(pictures[:2], count=30)
        second = client.submit(pictures[1:], count=30)
        events = poll_until(client, lambda e: end_of(e, first) is not None and end_of(e, second) is not None)
        assert len(frames_of(events, first)) == len(frames_of(events, second)) == 30
        order = [event.job for event in events if isinstance(event, FrameArrived)]
        assert first.id in order[30:] and second.id in order[:30], "neither waits for the other's end"
        assert server.store.count(wire.Fetch) == 60


def test_a_generator_leaves_other_jobs_events_alone(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    other = client.submit(pictures, count=4)
    assert len(list(client.interpolate(pictures[:2], count=5))) == 5
    events = poll_to_end(client, other)
    assert len(frames_of(events, other)) == 8


def test_a_generator_closed_early_cancels_its_job(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False
    frames = client.interpolate(pictures[:2], count=5, job="mine")
    threading.Timer(0.3, lambda: server.pushes.extend(server.finish(server.store.jobs["mine"], [0]))).start()
    assert next(frames).index == 0
    frames.close()
    assert server.store.jobs["mine"].state is JobState.CANCELLED


def test_ctrl_c_cancels_the_job_and_passes_through(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False

    def stop(info: wire.JobInfo) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(client.interpolate(pictures[:2], count=5, job="mine", on_progress=stop))
    assert server.store.jobs["mine"].state is JobState.CANCELLED


def test_resume_goes_on_with_what_is_finished(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False
    expected = job_id_for(make_order(pictures[:2], count=4).request())
    frames = client.interpolate(pictures[:2], count=4, resume=True)
    threading.Timer(0.3, lambda: server.pushes.extend(server.finish(server.store.jobs[expected], [0, 1]))).start()
    assert next(frames).index == 0
    frames.close()
    server.finishes = True
    puts = server.store.count(wire.Put)
    assert [frame.index for frame in client.interpolate(pictures[:2], count=4, resume=True)] == [0, 1, 2, 3]
    assert server.store.count(wire.Put) == puts
    assert server.store.jobs == {}


def test_the_timeout_ends_the_wait_and_the_job(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    server.finishes = False
    with pytest.raises(TweenbridgeError) as caught:
        list(client.interpolate(pictures[:2], count=5, job="mine", timeout=0.4))
    assert caught.value.code is ErrorCode.TIMED_OUT
    assert server.store.jobs["mine"].state is JobState.CANCELLED


def test_questions(server: FakeServer, client: Client, pictures: list[bytes]) -> None:
    assert client.connect().server == "fake 1"
    assert client.status().data_dir == str(server.home)
    assert [engine.name for engine in client.engines()] == ["flow"]
    poll_to_end(client, client.submit(pictures, count=1, job="one"))
    assert [info.job for info in client.jobs()] == ["one"]
    assert client.job("one").state is JobState.DONE
    assert client.cancel("one").state is JobState.DONE
    client.release("one")
    with pytest.raises(TweenbridgeError) as caught:
        client.job("one")
    assert caught.value.code is ErrorCode.UNKNOWN_JOB


def test_ask_is_answered_by_polling(server: FakeServer, client: Client) -> None:
    reply = client.ask(wire.GetEngines())
    with pytest.raises(TweenbridgeError) as caught:
        reply.result()
    assert caught.value.code is ErrorCode.NOT_READY
    poll_until(client, lambda _events: reply.done)
    answer = reply.result()
    assert isinstance(answer, wire.Engines)


def test_watching_reports_jobs_of_others_and_mends_holes(server: FakeServer, client: Client) -> None:
    client.watch()
    poll_until(client, has(JobsListed))
    info = wire.JobInfo("theirs", JobState.RUNNING, 3, 1, "flow", "draft")
    server.pushes.append(Answer(wire.Delta(8, "theirs", info)))
    events = poll_until(client, has(JobChanged))
    assert events[-1] == JobChanged("theirs", info)
    server.pushes.append(Answer(wire.Delta(12, "theirs", None)))
    events = poll_until(client, has(JobsListed))
    assert not any(isinstance(event, JobChanged) for event in events)
    client.watch(False)
    poll_for(client, 0.1)
    server.pushes.append(Answer(wire.Delta(13, "theirs", None)))
    assert poll_for(client, 0.1) == []


@pytest.mark.parametrize(
    ("limits", "count", "named"),
    [
        (Limits(frame_bytes=50), 1, "Keyframe 1"),
        (Limits(keyframes_per_job=2), 1, "2 keyframes"),
        (Limits(frames_per_job=5), 9, "5 drawings"),
    ],
)
def test_limits_are_checked_before_anything_is_sent(
    home: Path, pictures: list[bytes], limits: Limits, count: int, named: str
) -> None:
    with FakeServer(home, limits=limits) as server, Client(home, start_server=False) as client:
        handle = client.submit(pictures, count=count)
        end = end_of(poll_to_end(client, handle), handle)
        assert end is not None and end.error is not None
        assert end.error.code is ErrorCode.TOO_LARGE
        assert named in end.error.message
        assert server.store.count(wire.Submit) == 0


def test_mistakes_of_the_caller_are_named(client: Client, pictures: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(TweenbridgeError, match="number of in-betweens"):
        client.submit(pictures)
    with pytest.raises(TweenbridgeError, match="two keyframes"):
        client.submit(pictures[:1], count=1)
    with pytest.raises(TweenbridgeError, match="all of them"):
        client.submit([KeyframeSource(pictures[0], position=1), pictures[1]], count=1)
    client.submit(pictures, count=1, job="one")
    with pytest.raises(TweenbridgeError) as caught:
        client.submit(pictures, count=1, job="one")
    assert caught.value.code is ErrorCode.CONFLICT


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"", ErrorCode.BAD_KEYFRAME),
        (b"GIF89a" + bytes(50), ErrorCode.UNSUPPORTED_FORMAT),
        ("no/such/file.png", ErrorCode.BAD_KEYFRAME),
    ],
)
def test_a_keyframe_that_cannot_be_used_ends_the_job_and_is_named(
    client: Client, pictures: list[bytes], broken: bytes | str, code: ErrorCode
) -> None:
    handle = client.submit([pictures[0], broken], count=1)
    end = end_of(poll_to_end(client, handle), handle)
    assert end is not None and end.error is not None
    assert (end.state, end.error.code) == (JobState.FAILED, code)
    assert "Keyframe 2" in end.error.message


def test_a_context_of_the_callers_is_used_and_left_open(server: FakeServer) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with Client(server.home, start_server=False, context=context) as client:
        client.status()
    assert not context.closed
    context.term()


def test_curve_keeps_the_session_private(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home, curve=zmq.curve_keypair()) as server:
        address = read_address(home)
        assert address == server.address
        with Client(address=address) as client:
            assert len(list(client.interpolate(pictures, count=2))) == 4


def test_another_thread_is_refused(server: FakeServer, client: Client) -> None:
    client.status()
    caught: list[BaseException] = []

    def use() -> None:
        try:
            client.poll(0)
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_poll_reports_the_connection(server: FakeServer, client: Client) -> None:
    (event,) = poll_until(client, has(Connected))
    assert event == Connected("fake 1", server.epoch, restarted=False)
    assert client.server is not None and client.server.limits == Limits()


def test_closing_with_everything_on_its_way_takes_no_time(home: Path, pictures: list[bytes]) -> None:
    with FakeServer(home, frame_size=8_000_000):
        client = Client(home, start_server=False)
        client.submit(pictures, count=20)
        poll_until(client, has(JobProgress))
        client.poll(0)
        start = time.monotonic()
        client.close()
        assert time.monotonic() - start < 1.0
        client.close()


def test_a_forgotten_client_does_not_hang_the_interpreter(server: FakeServer) -> None:
    program = (
        "import sys; from tweenbridge import Client; from pathlib import Path\n"
        f"client = Client({str(server.home)!r}, start_server=False); client.status()\n"
        "client.submit([b'\\x89PNG\\r\\n\\x1a\\n' + bytes(100), b'\\x89PNG\\r\\n\\x1a\\n' + bytes(90)], count=1)\n"
        "client.poll(0)\n"
    )
    paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
    result = subprocess.run([sys.executable, "-c", paths + program], timeout=20, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr


def test_nothing_is_left_behind(server: FakeServer, pictures: list[bytes]) -> None:
    before = threading.active_count()
    for _ in range(5):
        with Client(server.home, start_server=False) as client:
            list(client.interpolate(pictures, count=1))
    gc.collect()
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.02)
    assert threading.active_count() <= before
