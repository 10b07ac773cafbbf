"""The job's state machine and a server that loses sessions and refuses at random: each frame comes exactly once."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tweenbridge import ErrorCode, JobHandle, JobState, Timing, TweenbridgeError, make_order
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import messages as wire

PICTURES = [b"\x89PNG\r\n\x1a\n" + bytes([i]) * 9 for i in range(3)]
ROOM = 1 << 20


class Server:
    """What the other side knows, without any wire."""

    def __init__(self, total: int, keyframes: int, chance: random.Random) -> None:
        self.total = total
        self.keyframes = keyframes
        self.chance = chance
        self.known = False
        self.got: set[int] = set()
        self.done: set[int] = set()
        self.cancelled = False

    @property
    def need(self) -> tuple[int, ...]:
        return tuple(i for i in range(self.keyframes) if i not in self.got)

    def work(self) -> None:
        """Finish some frames."""
        if self.known and not self.need:
            missing = [i for i in range(self.total) if i not in self.done]
            self.done.update(self.chance.sample(missing, self.chance.randint(0, len(missing))))

    def state(self) -> JobState:
        if self.cancelled:
            return JobState.CANCELLED
        if self.need:
            return JobState.RECEIVING
        return JobState.DONE if len(self.done) == self.total else JobState.RUNNING

    def info(self) -> wire.JobInfo:
        return wire.JobInfo("one", self.state(), self.total, len(self.done), "flow", "draft")

    def answer(self, message: wire.Message) -> wire.Message:
        if isinstance(message, wire.Submit):
            self.known = True
            self.cancelled = False
            return wire.Accepted("one", self.state(), self.need, tuple(self.done), self.total)
        if not self.known:
            return wire.Error(TweenbridgeError(ErrorCode.UNKNOWN_JOB, "No.").info)
        if isinstance(message, wire.Put):
            self.got.add(message.keyframe)
            return wire.Received("one", message.keyframe, self.need)
        if isinstance(message, wire.Fetch):
            if message.frame not in self.done:
                return wire.Error(TweenbridgeError(ErrorCode.NOT_READY, "No.").info)
            return wire.FrameData("one", message.frame, PixelFormat(Encoding.PNG), "")
        if isinstance(message, wire.Cancel):
            self.cancelled = not self.state().is_final
        return wire.Job(self.info())


def new_job(count: int, in_order: bool) -> JobHandle:
    order = make_order(PICTURES, count=count, timing=Timing())
    handle = JobHandle(order, job="one", in_order=in_order)
    handle.prepared(order.request())
    return handle


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 12), in_order=st.booleans())
def test_every_frame_comes_exactly_once(seed: int, count: int, in_order: bool) -> None:
    chance = random.Random(seed)
    handle = new_job(count, in_order)
    server = Server(handle.total, 3, chance)
    arrived: list[int] = []
    now = 0.0
    for _ in range(3000):
        if handle.ended:
            break
        now += chance.uniform(0.0, 0.5)
        message = handle.next_message(now, put_room=ROOM, may_fetch=True)
        fate = chance.random()
        if message is not None:
            reply = server.answer(message) if fate < 0.9 else None
            if reply is None:
                handle.disconnected()  # the question was lost
            elif fate < 0.1:
                handle.disconnected()  # the answer was lost
            elif fate < 0.2:
                handle.answered(message, wire.Error(TweenbridgeError(ErrorCode.BUSY, "Later.").info), now)
            else:
                if isinstance(reply, wire.FrameData):
                    arrived.append(reply.frame)
                handle.answered(message, reply, now)
        before = set(server.done)
        server.work()
        if chance.random() < 0.5:
            handle.progressed(wire.Progress(server.info(), tuple(server.done - before)), now)
    assert handle.state is JobState.DONE, handle.error
    assert sorted(arrived) == list(range(handle.total))
    if in_order:
        assert arrived == sorted(arrived)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), moment=st.integers(0, 30))
def test_a_cancel_at_any_moment_ends_the_job_on_both_sides(seed: int, moment: int) -> None:
    chance = random.Random(seed)
    handle = new_job(8, False)
    server = Server(handle.total, 3, chance)
    now = 0.0
    for step in range(300):
        if step == moment:
            handle.cancel()
        if handle.ended:
            break
        now += 0.3
        message = handle.next_message(now, put_room=ROOM, may_fetch=True)
        if message is not None and chance.random() < 0.2:
            handle.disconnected()
        elif message is not None:
            handle.answered(message, server.answer(message), now)
        server.work()
    assert handle.ended
    assert handle.state in (JobState.CANCELLED, JobState.DONE)
    if handle.state is JobState.CANCELLED:
        assert server.state().is_final or not server.known


def test_a_job_without_in_betweens_is_done_at_once() -> None:
    handle = new_job(0, False)
    assert handle.state is JobState.DONE
    assert handle.next_message(0.0, ROOM, True) is None


def test_an_error_that_comes_again_and_again_ends_the_job() -> None:
    handle = new_job(3, False)
    now = 0.0
    asked = 0
    while not handle.ended:
        now += 10.0
        message = handle.next_message(now, ROOM, True)
        assert message is not None
        asked += 1
        handle.answered(message, wire.Error(TweenbridgeError(ErrorCode.INTERNAL, "Broken.").info), now)
    assert asked <= 5
    assert handle.error is not None and handle.error.message == "Broken."


def test_a_server_that_counts_otherwise_is_refused() -> None:
    handle = new_job(3, False)
    message = handle.next_message(1.0, ROOM, True)
    assert isinstance(message, wire.Submit)
    handle.answered(message, wire.Accepted("one", JobState.RECEIVING, (0, 1, 2), (), 7), 1.0)
    assert handle.error is not None and handle.error.code is ErrorCode.BAD_MESSAGE


def running_job() -> tuple[JobHandle, Server]:
    """A job that the server has just accepted, and has been asked about."""
    handle = new_job(3, False)
    server = Server(handle.total, 3, random.Random(0))
    for kind in (wire.Submit, wire.GetJob):
        message = handle.next_message(1.0, ROOM, True)
        assert isinstance(message, kind)
        handle.answered(message, server.answer(message), 1.0)
    return handle, server


def next_put(handle: JobHandle, room: int) -> wire.Put | None:
    message = handle.next_message(1.0, room, True)
    assert message is None or isinstance(message, wire.Put)
    return message


@given(order=st.permutations([0, 1, 2]))
def test_keyframes_on_their_way_together_may_be_answered_in_any_order(order: list[int]) -> None:
    handle, server = running_job()
    puts = [next_put(handle, ROOM) for _ in range(3)]
    assert [put.keyframe for put in puts if put] == [0, 1, 2]
    replies = [server.answer(put) for put in puts if put]
    for index in order:
        put = puts[index]
        assert put is not None
        handle.answered(put, replies[index], 1.0)
        assert next_put(handle, ROOM) is None
    assert not server.need


def test_a_keyframe_waits_where_there_is_no_room_for_it_beside_others() -> None:
    handle, _ = running_job()
    size = len(PICTURES[0])
    first = next_put(handle, size)
    assert first == wire.Put("one", 0)
    assert next_put(handle, size - 1) is None
    assert next_put(handle, size) == wire.Put("one", 1)


def test_a_keyframe_refused_for_now_is_sent_again_and_the_other_is_not() -> None:
    handle, server = running_job()
    first, second = next_put(handle, ROOM), next_put(handle, ROOM)
    assert first and second
    handle.answered(first, wire.Error(TweenbridgeError(ErrorCode.BUSY, "Later.", retry_after=0.2).info), 1.0)
    handle.answered(second, server.answer(second), 1.0)
    assert handle.next_message(1.1, ROOM, True) is None
    assert handle.next_message(2.0, ROOM, True) == first
    assert handle.next_message(2.0, ROOM, True) == wire.Put("one", 2)
