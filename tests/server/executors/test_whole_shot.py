"""What engines with a model are given and what they say, through a job service and real workers."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge.protocol.messages import JobState

PICTURES = [flat(10), flat(60), flat(110), flat(160)]


def lines(bench: Bench, word: str) -> list[list[str]]:
    found = [line.split() for line in bench.log.read_text().splitlines()]
    return [line[1:] for line in found if line[0] == word]


def test_an_engine_is_told_where_it_works_and_warmed_with_its_settings(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", devices=("mps",), compile_models=True) as bench:
        (bench.home / "model").write_text("weights")
        bench.submit("j", request(PICTURES, settings={"model": "model"}))
        bench.wait_for(lambda: lines(bench, "warm"))
        (pid,) = [worker.pid for worker in bench.service.workers()]
        assert lines(bench, "settle") == [[str(pid), "mps", str(bench.home / "cache"), "compiled"]]
        assert lines(bench, "warm") == [[str(pid), "plain", str(bench.home / "model")]]
        assert [worker.device for worker in bench.service.workers()] == ["mps"]
        for index, picture in enumerate(PICTURES):
            bench.service.put("j", index, memoryview(picture))
        assert bench.wait("j").state is JobState.DONE
        assert len(lines(bench, "settle")) == 1


def test_nothing_is_warmed_for_a_job_that_is_made_already(tmp_path: Path) -> None:
    with Bench(tmp_path / "home", idle_seconds=0.2) as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        bench.wait_for(lambda: not bench.service.workers())
        warmed = len(lines(bench, "warm"))
        bench.send("k", PICTURES)
        assert bench.wait("k").state is JobState.DONE
        assert len(lines(bench, "warm")) == warmed


def test_an_engine_for_whole_shots_sees_every_keyframe_and_others_see_none(bench: Bench) -> None:
    bench.send("one", PICTURES, request(PICTURES, profile="shot"))
    assert bench.wait("one").state is JobState.DONE
    shown = [f"{level / 255:.3f}" for level in (10, 60, 110, 160)]
    assert lines(bench, "shot") == [shown] * 3
    bench.send("other", PICTURES, request(PICTURES, count=2))
    assert bench.wait("other").state is JobState.DONE
    assert len(lines(bench, "shot")) == 3


def test_every_keyframe_of_a_whole_shot_is_needed_even_beside_an_empty_gap(bench: Bench) -> None:
    wanted = request(PICTURES[:3], profile="shot")
    keyframes = tuple(dataclasses.replace(k, position=at) for k, at in zip(wanted.keyframes, (0, 3, 4)))
    wanted = dataclasses.replace(wanted, keyframes=keyframes, timing=dataclasses.replace(wanted.timing, count=None))
    assert bench.send("j", PICTURES, wanted).need == (0, 1, 2)
    assert bench.wait("j").state is JobState.DONE
    assert len(lines(bench, "shot")[0]) == 3


def test_another_keyframe_makes_another_shot(bench: Bench) -> None:
    for job, pictures in (("a", PICTURES), ("b", [*PICTURES[:3], flat(200)])):
        bench.send(job, pictures, request(pictures, profile="shot"))
        assert bench.wait(job).state is JobState.DONE
    assert sum(bench.computed().values()) == 18


def test_a_changed_model_makes_new_frames_and_an_unchanged_one_none(bench: Bench) -> None:
    model = bench.home / "model"
    wanted = request(PICTURES[:2], settings={"model": str(model)})
    for job, weights, computed in (("a", "one", 3), ("b", "one", 3), ("c", "two", 6), ("a", "three", 9)):
        model.write_text(weights)
        bench.send(job, PICTURES[:2], wanted)
        assert bench.wait(job).state is JobState.DONE
        assert sum(bench.computed().values()) == computed


def test_a_model_that_is_not_there_is_refused_at_once(bench: Bench) -> None:
    with pytest.raises(Exception, match="no model nothing") as refused:
        bench.submit("j", request(PICTURES, settings={"model": "nothing"}))
    assert getattr(refused.value, "code", None) is ErrorCode.MODEL_MISSING
    assert bench.service.jobs(9) == ()


def test_a_model_that_changes_under_a_job_fails_it_and_none_of_its_frames_is_kept(bench: Bench) -> None:
    model = bench.home / "model"
    model.write_text("one")
    wanted = request(PICTURES[:2], settings={"model": str(model)})
    bench.submit("j", wanted)
    model.write_text("two")
    for index in range(2):
        bench.service.put("j", index, memoryview(PICTURES[index]))
    failed = bench.wait("j")
    assert failed.error is not None
    assert failed.error.code is ErrorCode.MODEL_FAILED
    assert "changed" in failed.error.message
    assert failed.done == 0
    bench.send("j", PICTURES[:2], wanted)
    assert bench.wait("j").state is JobState.DONE


def test_a_model_that_changes_while_the_engine_loads_it_is_noticed(bench: Bench) -> None:
    model = bench.home / "model"
    model.write_text("one")
    wanted = request(PICTURES[:2], settings={"model": str(model), "seconds": 0.6})
    bench.send("j", PICTURES[:2], wanted)
    bench.wait_for(lambda: bench.service.info("j").stage == "blending")
    model.write_text("two")
    failed = bench.wait("j")
    assert failed.error is not None
    assert failed.error.code is ErrorCode.MODEL_FAILED
    assert failed.done == 0


def test_a_model_that_changes_while_the_server_is_away_fails_the_job(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_text("one")
    with Bench(tmp_path / "home") as bench:
        bench.submit("changed", request(PICTURES, settings={"model": str(model)}))
        bench.submit("plain", request(PICTURES))
    model.write_text("two")
    with Bench(tmp_path / "home") as bench:
        failed = bench.wait("changed")
        assert failed.error is not None
        assert failed.error.code is ErrorCode.MODEL_FAILED
        assert bench.service.info("plain").state is JobState.RECEIVING


def test_what_an_engine_says_is_noted_once_for_the_whole_job(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, settings={"says": "note"}))
    done = bench.wait("j")
    assert [(note.code, note.message, note.gap) for note in done.notes] == [("tip", "This could be better.", None)]


def test_notes_of_gaps_name_their_gap_and_survive_crashes_and_restarts(tmp_path: Path) -> None:
    wanted = request(PICTURES, settings={"says": "notes of gaps", "seconds": 0.05})
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES, wanted)
        bench.wait_for(lambda: bench.service.info("j").done >= 4)
        before = bench.service.info("j").notes
        assert [note.gap for note in before] == [0, 1]
    with Bench(tmp_path / "home") as bench:
        assert bench.service.info("j").notes[:2] == before
        for worker in bench.service.workers():
            os.kill(worker.pid, 9)
        done = bench.wait("j")
        assert done.state is JobState.DONE
        assert [note.gap for note in done.notes] == [0, 1, 2]
        assert bench.service.jobs(1)[0].notes == done.notes
    with Bench(tmp_path / "home") as bench:
        assert bench.service.info("j").notes == done.notes


def test_notes_of_gaps_that_were_made_stay_when_the_job_is_asked_for_again(bench: Bench) -> None:
    wanted = request(PICTURES, settings={"says": "notes of gaps", "mischief": "none", "seconds": 0.05})
    bench.send("j", PICTURES, wanted)
    bench.wait_for(lambda: bench.service.info("j").done >= 4)
    bench.service.cancel("j")
    bench.wait("j")
    bench.send("j", PICTURES, wanted)
    done = bench.wait("j")
    assert sorted(note.gap for note in done.notes if note.gap is not None) == [0, 1, 2]


def test_a_flood_of_notes_is_bounded(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, settings={"says": "note flood"}))
    done = bench.wait("j")
    assert done.state is JobState.DONE
    assert len(done.notes) == 20
    assert all(len(note.message) <= 1000 and len(note.code) <= 100 for note in done.notes)


def test_previews_are_small_pictures_of_their_gap_and_never_stored(bench: Bench) -> None:
    bench.send("j", PICTURES[:2], request(PICTURES[:2], settings={"says": "preview", "seconds": 0.1}))
    done = bench.wait("j")
    assert done.state is JobState.DONE
    (shown,) = bench.previews
    assert (shown.job, shown.gap, shown.picture.t) == ("j", 0, 0.25)
    assert (shown.picture.width, shown.picture.height) == (256, 192)
    stored = [path.read_bytes() for path in bench.home.rglob("*") if path.is_file()]
    assert stored
    assert not any(shown.picture.png in content for content in stored)


def test_odd_previews_do_no_harm(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, settings={"says": "odd previews"}))
    assert bench.wait("j").state is JobState.DONE
    assert bench.previews == []


def test_a_cancelled_job_shows_nothing_more(bench: Bench) -> None:
    bench.send("j", PICTURES, request(PICTURES, settings={"says": "preview", "seconds": 0.2}))
    bench.wait_for(lambda: bench.previews)
    bench.service.cancel("j")
    bench.wait("j")
    shown = len(bench.previews)
    time.sleep(0.6)
    assert len(bench.previews) == shown
