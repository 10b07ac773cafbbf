"""Making messages fit into a header."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tweenbridge.protocol import codec
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.limits import MAX_HEADER_BYTES
from tweenbridge.protocol.messages import Delta, Error, Job, JobInfo, JobState, Message, Note, Progress, Snapshot
from tweenbridge.protocol.models import FoundModel, ModelInfo, ModelRole, Models, ModelsFound, ModelState
from tweenbridge_server.transport.outgoing import encode

PLAIN = JobInfo("job-1", JobState.DONE, 7, 7, "flow", "draft", title="Walk")
NOTES = tuple(Note("cut", "There is a cut here; the nearer keyframe is held.", gap) for gap in range(2000))
WORDY = replace(PLAIN, notes=NOTES)


@pytest.mark.parametrize("message", [Job(PLAIN), Snapshot(5, (PLAIN, PLAIN)), Delta(1, "job-1")])
def test_what_fits_is_left_as_it_is(message: Message) -> None:
    header = codec.decode(encode(message, 3, 2))
    assert (header.message, header.id, header.re) == (message, 3, 2)


@pytest.mark.parametrize("message", [Job(WORDY), Progress(WORDY, (1, 2)), Delta(9, "job-1", WORDY)])
def test_a_job_too_long_for_a_header_comes_without_its_notes(message: Job | Progress | Delta) -> None:
    data = encode(message, 1, None)
    assert len(data) <= MAX_HEADER_BYTES
    assert codec.decode(data).message == replace(message, info=PLAIN)


def test_a_list_loses_notes_before_it_loses_jobs() -> None:
    short = codec.decode(encode(Snapshot(4, (WORDY, WORDY)), 1, None)).message
    assert short == Snapshot(4, (PLAIN, PLAIN))
    jobs = tuple(replace(PLAIN, job=f"job-{number}") for number in range(3000))
    shortened = codec.decode(encode(Snapshot(4, jobs), 1, None)).message
    assert isinstance(shortened, Snapshot) and shortened.seq == 4
    assert 200 < len(shortened.jobs) < 3000 and shortened.jobs == jobs[: len(shortened.jobs)]


def test_a_list_of_models_loses_words_before_it_loses_models() -> None:
    plain = ModelInfo("toon", "Toon", "dreammover", ModelRole.MODEL, ModelState.READY)
    wordy = replace(plain, description="d" * 300, sources=("s" * 200,))
    short = codec.decode(encode(Models(4, (wordy,) * 150), 1, None)).message
    assert short == Models(4, (plain,) * 150)
    shortened = codec.decode(encode(Models(4, (wordy,) * 3000), 1, None)).message
    assert isinstance(shortened, Models) and 150 < len(shortened.models) < 3000
    found = FoundModel("/models/toon.safetensors", "toon", "dreammover", ModelRole.MODEL, 1)
    cut = codec.decode(encode(ModelsFound((found,) * 3000), 1, None)).message
    assert isinstance(cut, ModelsFound) and 150 < len(cut.found) < 3000 and not cut.whole


def test_what_cannot_be_shortened_is_an_error() -> None:
    error = TweenbridgeError(ErrorCode.INTERNAL, "x" * MAX_HEADER_BYTES)
    with pytest.raises(TweenbridgeError) as raised:
        encode(Error(error.info), 1, None)
    assert raised.value.code is ErrorCode.TOO_LARGE
