"""The gateway over real loopback sockets: opening a session, requests, news, and the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol import handshake
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import (
    Accepted,
    Cancel,
    ClientInfo,
    Delta,
    Engines,
    Error,
    Fetch,
    FrameData,
    GetEngines,
    GetJob,
    GetStatus,
    Hello,
    Job,
    JobRequest,
    Jobs,
    JobState,
    Keyframe,
    ListJobs,
    Ping,
    Pong,
    Progress,
    Prove,
    Put,
    Received,
    Release,
    Released,
    Snapshot,
    Status,
    Stop,
    Stopping,
    Submit,
    Watch,
    Welcome,
)
from tweenbridge.protocol.models import ListModels, ModelDelta, Models, WatchModels

if TYPE_CHECKING:
    from .conftest import Served

KEYFRAME = Keyframe("0" * 64, 10, PixelFormat(Encoding.PNG), 0)
SUBMIT = Submit("job-1", JobRequest((KEYFRAME, KEYFRAME)), title="Walk")


# ------------------------------------------------------------ opening a session


def test_a_client_with_the_token_is_welcomed_and_told_limits_and_epoch(served: Served) -> None:
    peer = served.peer()
    nonce, challenge = peer.hello()
    assert challenge.proof == handshake.server_proof(served.keys.token, nonce, challenge.nonce, 1)
    welcome = peer.ask(Prove(handshake.client_proof(served.keys.token, nonce, challenge.nonce, 1)))
    assert isinstance(welcome, Welcome)
    assert welcome.limits.frame_bytes == 4 * 1024 * 1024
    assert welcome.epoch and "tweenbridge" in welcome.server


def test_a_wrong_token_is_answered_with_unauthorized_not_silence(served: Served) -> None:
    peer = served.peer(token=b"wrong" * 6)
    nonce, challenge = peer.hello()
    answer = peer.ask(Prove(handshake.client_proof(peer.token, nonce, challenge.nonce, 1)))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED
    later = peer.ask(ListJobs())
    assert isinstance(later, Error) and later.error.code is ErrorCode.UNAUTHORIZED


def test_a_server_without_the_token_cannot_prove_itself(served: Served) -> None:
    peer = served.peer(token=b"another server's token")
    nonce, challenge = peer.hello()
    assert challenge.proof != handshake.server_proof(peer.token, nonce, challenge.nonce, 1)


def test_a_proof_that_was_overheard_opens_nothing(served: Served) -> None:
    honest = served.peer()
    nonce, challenge = honest.hello()
    proof = handshake.client_proof(served.keys.token, nonce, challenge.nonce, 1)
    assert isinstance(honest.ask(Prove(proof)), Welcome)
    thief = served.peer()
    answer = thief.ask(Hello((1,), nonce, ClientInfo("thief")))
    assert answer.nonce != challenge.nonce
    replayed = thief.ask(Prove(proof))
    assert isinstance(replayed, Error) and replayed.error.code is ErrorCode.UNAUTHORIZED
    mirrored = served.peer()
    nonce, challenge = mirrored.hello()
    answer = mirrored.ask(Prove(challenge.proof))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED


@pytest.mark.parametrize(
    "message",
    [Prove(b"x" * 32), SUBMIT, Fetch("job-1", 0), ListJobs(), Watch(), GetStatus(), Stop(), Release("job-1")],
    ids=lambda message: message.TYPE,
)
def test_nothing_but_hello_and_ping_is_served_before_a_session_is_open(served: Served, message: Submit) -> None:
    peer = served.peer()
    answer = peer.ask(message)
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED
    assert isinstance(peer.ask(Ping()), Pong)
    peer.hello()
    answer = peer.ask(message)
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED
    assert served.service.owners == []
    served.client()


def test_no_common_version_is_a_version_error_that_names_both(served: Served) -> None:
    answer = served.peer().ask(Hello((98, 99), handshake.make_nonce(), ClientInfo("future")))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.VERSION
    assert "98, 99" in answer.error.message and "speaks 1" in answer.error.message


def test_the_highest_common_version_is_chosen(served: Served) -> None:
    answer = served.peer().ask(Hello((7, 1), handshake.make_nonce(), ClientInfo("newer")))
    assert answer.version == 1


def test_a_nonce_of_another_length_is_refused(served: Served) -> None:
    answer = served.peer().ask(Hello((1,), b"short", ClientInfo("sloppy")))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.BAD_MESSAGE


def test_a_client_that_disconnects_is_forgotten_at_once(
    served: Served, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    first, second = served.client(), served.client()
    assert second.ask(GetStatus()).sessions == 2
    first.socket.close()
    wait_until(lambda: second.ask(GetStatus()).sessions == 1)


def test_a_silent_client_is_told_that_its_session_ended_and_can_open_another(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tweenbridge_server.transport.sessions.DEAD_AFTER", 0.5)
    silent = served.client()
    ended = silent.news()
    assert isinstance(ended, Error) and ended.error.code is ErrorCode.UNAUTHORIZED
    answer = silent.ask(Ping())
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.UNAUTHORIZED
    assert isinstance(silent.open().ask(ListJobs()), Jobs)


def test_a_client_that_pings_stays(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tweenbridge_server.transport.sessions.DEAD_AFTER", 0.8)
    peer = served.client()
    for _ in range(12):
        time.sleep(0.25)
        assert isinstance(peer.ask(Ping()), Pong)
    assert isinstance(peer.ask(ListJobs()), Jobs)


# ------------------------------------------------------------ requests


def test_every_request_is_answered(served: Served, tmp_path: Path) -> None:
    peer = served.client()
    pixels = b"\x89PNG pixels" * 1000
    accepted = peer.ask(SUBMIT)
    assert isinstance(accepted, Accepted) and accepted.need == (0, 1)
    assert isinstance(peer.ask(Put("job-1", 1), pixels), Received)
    assert served.service.received == [("job-1", 1, hashlib.sha256(pixels).hexdigest())]
    assert served.service.owners == ["test"]
    job = peer.ask(GetJob("job-1"))
    assert isinstance(job, Job) and job.info.title == "Walk"
    assert isinstance(peer.ask(ListJobs()), Jobs)
    assert peer.ask(GetEngines()) == Engines(served.service.engines())
    status = peer.ask(GetStatus())
    assert isinstance(status, Status)
    assert status.spool_bytes == 123 and status.workers[0].pid == 4711 and status.data_dir == str(tmp_path)
    # The gateway runs in this process here, which may hold much from other tests.
    assert 0.5 < status.memory / psutil.Process().memory_info().rss < 2 and status.uptime >= 0
    cancelled = peer.ask(Cancel("job-1"))
    assert isinstance(cancelled, Job) and cancelled.info.state is JobState.CANCELLED
    assert peer.ask(Release("job-1")) == Released("job-1")


@pytest.mark.parametrize("size", [1, 1000, 300_000, 3_000_000])
def test_a_frame_arrives_as_its_file_is(served: Served, tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    stored = served.service.add_frame("job-1", 3, tmp_path / "frame", content[:size])
    peer = served.client()
    number = peer.send(Fetch("job-1", 3))
    header, received = peer.receive_parts()
    assert header.re == number
    assert header.message == FrameData("job-1", 3, stored.format, stored.sha256)
    assert received == content[:size]


def test_a_frame_whose_file_is_gone_or_changed_is_expired(served: Served, tmp_path: Path) -> None:
    served.service.add_frame("job-1", 0, tmp_path / "gone", b"x" * 500_000)
    served.service.add_frame("job-1", 1, tmp_path / "cut", b"x" * 500_000)
    (tmp_path / "gone").unlink()
    (tmp_path / "cut").write_bytes(b"x" * 1000)
    peer = served.client()
    for frame in (0, 1):
        answer = peer.ask(Fetch("job-1", frame))
        assert isinstance(answer, Error) and answer.error.code is ErrorCode.EXPIRED
        assert answer.job == "job-1"


def test_an_error_of_the_service_keeps_its_code_and_remedy(served: Served) -> None:
    peer = served.client()
    answer = peer.ask(GetJob("nowhere"))
    assert isinstance(answer, Error)
    assert answer.error == TweenbridgeError(ErrorCode.UNKNOWN_JOB, "There is no job 'nowhere' on this server.").info
    assert answer.job == "nowhere"


def test_an_unforeseen_exception_is_an_internal_error_and_the_server_goes_on(served: Served) -> None:
    served.service.raises = ZeroDivisionError("oops")
    peer = served.client()
    answer = peer.ask(GetJob("any"))
    assert isinstance(answer, Error) and answer.error.code is ErrorCode.INTERNAL
    served.service.raises = None
    assert isinstance(peer.ask(ListJobs()), Jobs)


def test_a_list_too_long_for_one_header_is_shortened(served: Served) -> None:
    peer = served.client()
    for number in range(900):
        peer.ask(Submit(f"job-{number}", JobRequest((KEYFRAME, KEYFRAME)), title="A long title " * 20))
    jobs = peer.ask(ListJobs(limit=900))
    assert isinstance(jobs, Jobs) and 100 < len(jobs.jobs) < 900
    assert jobs.jobs[0].job == "job-0"
    rest = peer.ask(ListJobs(limit=900, skip=len(jobs.jobs)))
    assert isinstance(rest, Jobs) and rest.jobs[0].job == f"job-{len(jobs.jobs)}"


# ------------------------------------------------------------ news


def test_a_submitted_or_looked_up_job_sends_progress_to_its_session_alone(served: Served) -> None:
    owner, looker, stranger = served.client(), served.client(), served.client()
    owner.ask(SUBMIT)
    looker.ask(GetJob("job-1"))
    served.change("job-1", ready=(2, 3), fraction=0.5)
    for peer in (owner, looker):
        news = peer.news()
        assert isinstance(news, Progress) and news.ready == (2, 3) and news.info.fraction == 0.5
    assert stranger.is_silent()


def test_a_lookup_that_fails_attaches_nothing(served: Served) -> None:
    peer = served.client()
    peer.ask(GetJob("job-9"))
    served.change("job-9")
    assert peer.is_silent()


def test_watching_starts_with_a_snapshot_and_numbers_what_follows_without_holes(served: Served) -> None:
    peer = served.client()
    served.client().ask(SUBMIT)
    snapshot = peer.ask(Watch())
    assert isinstance(snapshot, Snapshot) and [entry.job for entry in snapshot.jobs] == ["job-1"]
    for number in range(5):
        served.change("job-1", fraction=number / 5)
    deltas = [peer.news() for _ in range(5)]
    assert all(isinstance(delta, Delta) for delta in deltas)
    assert [delta.seq for delta in deltas] == [snapshot.seq + step for step in range(1, 6)]
    again = peer.ask(Watch())
    assert again.seq == deltas[-1].seq
    off = peer.ask(Watch(on=False))
    assert off.jobs == ()
    served.change("job-1")
    assert peer.is_silent()


def test_changes_while_the_snapshot_is_made_come_after_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_snapshot(owner: str | None) -> tuple[()]:
        for _ in range(3):
            served.change("job-1")
        time.sleep(0.2)
        served.change("job-1")
        return ()

    monkeypatch.setattr(served.service, "snapshot", slow_snapshot)
    peer = served.client()
    peer.send(Watch())
    news = [peer.news() for _ in range(5)]
    assert isinstance(news[0], Snapshot)
    assert [delta.seq for delta in news[1:]] == [news[0].seq + step for step in range(1, 5)]


def test_models_are_listed_watched_and_numbered_for_themselves(served: Served) -> None:
    peer, other = served.client(), served.client()
    peer.ask(Watch())
    listed = peer.ask(WatchModels())
    assert isinstance(listed, Models) and [info.model for info in listed.models] == ["toon"]
    served.change("job-1")
    served.change_model("toon")
    served.change_model("gone", None)
    job, first, second = (peer.news() for _ in range(3))
    assert isinstance(job, Delta) and job.seq == 1
    assert (first, second) == (ModelDelta(1, "toon", listed.models[0]), ModelDelta(2, "gone", None))
    assert peer.ask(WatchModels(on=False)).seq == 2
    served.change_model("toon")
    assert peer.is_silent()
    assert other.is_silent()
    assert isinstance(other.ask(ListModels()), Models)


def test_a_watcher_that_does_not_read_finds_a_hole_and_can_ask_again(served: Served) -> None:
    peer = served.peer(lazy=True).open()
    snapshot = peer.ask(Watch())
    changes = 3000
    # One that reads shows how far the gateway is: what it has not sent yet, the other one could still get.
    reader = served.client()
    last = reader.ask(Watch()).seq
    for number in range(1, changes + 1):
        served.change("job-1", title="x" * 4000)
        if number % 100 == 0:
            while last < snapshot.seq + number:
                last = reader.news().seq
    seqs = []
    while not peer.is_silent(0.5):
        news = peer.news()
        assert isinstance(news, Delta)
        seqs.append(news.seq)
    assert seqs == sorted(seqs) and len(seqs) < changes
    again = peer.ask(Watch())
    assert isinstance(again, Snapshot) and again.seq == snapshot.seq + changes
    served.change("job-1")
    assert peer.news().seq == again.seq + 1


# ------------------------------------------------------------ the end


def test_stop_tells_everyone_and_ends(served: Served) -> None:
    first, second = served.client(), served.client()
    assert isinstance(first.ask(Stop()), Stopping)
    assert isinstance(second.news(), Stopping)
    assert served.gateway.join(10)


def test_a_put_that_has_begun_is_finished_and_answered_before_the_end(served: Served) -> None:
    peer = served.client()
    peer.ask(SUBMIT)
    served.service.put_gate.clear()
    number = peer.send(Put("job-1", 0), b"pixels")
    time.sleep(0.2)
    served.gateway.stop()
    assert isinstance(peer.news(), Stopping)
    refused = peer.ask(ListJobs())
    assert isinstance(refused, Error) and refused.error.code is ErrorCode.BUSY and refused.error.retryable
    served.service.put_gate.set()
    answer = peer.receive()
    assert answer.re == number and isinstance(answer.message, Received)
    assert served.gateway.join(10)
