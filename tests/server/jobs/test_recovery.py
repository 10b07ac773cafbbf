"""What a start makes of what the last run left."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.engines import registry

PICTURES = [flat(10), flat(60)]


def test_half_received_jobs_go_on_receiving(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.submit("j", request(PICTURES))
        bench.service.put("j", 1, memoryview(PICTURES[1]))
    with Bench(tmp_path / "home") as bench:
        assert bench.submit("j", request(PICTURES)).need == (0,)
        bench.service.put("j", 0, memoryview(PICTURES[0]))
        assert bench.wait("j").state is JobState.DONE


def test_a_keyframe_without_a_row_counts(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.submit("j", request(PICTURES))
        bench.service.put("j", 1, memoryview(PICTURES[1]))
    name = hashlib.sha256(PICTURES[0]).hexdigest() + ".png"
    (tmp_path / "home" / "spool" / "keyframes" / name).write_bytes(PICTURES[0])
    with Bench(tmp_path / "home") as bench:
        assert bench.wait("j").state is JobState.DONE


def test_a_keyframe_file_that_is_gone_is_needed_again(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        (bench.home / "spool" / "keyframes" / f"{hashlib.sha256(PICTURES[0]).hexdigest()}.png").unlink()
        assert bench.submit("k", request(PICTURES, count=2)).need == (0,)
    with Bench(tmp_path / "home") as bench:
        assert bench.submit("l", request(PICTURES, count=1)).need == (0,)


def test_a_job_whose_keyframe_is_lost_while_the_server_is_down_waits_for_it(tmp_path: Path) -> None:
    wanted = request(PICTURES, count=6, settings={"seconds": 0.1})
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES, wanted)
        bench.wait_for(lambda: bench.service.info("j").done >= 1)
    name = f"{hashlib.sha256(PICTURES[0]).hexdigest()}.png"
    (tmp_path / "home" / "spool" / "keyframes" / name).unlink()
    with Bench(tmp_path / "home") as bench:
        assert bench.service.info("j").state is JobState.RECEIVING
        assert bench.submit("j", wanted).need == (0,)
        bench.service.put("j", 0, memoryview(PICTURES[0]))
        assert bench.wait("j").done == 6


def test_half_written_files_are_swept(tmp_path: Path) -> None:
    with Bench(tmp_path / "home"):
        pass
    left = tmp_path / "home" / "spool" / "tmp" / "123-456-1.part"
    left.write_bytes(b"half a frame")
    with Bench(tmp_path / "home"):
        assert not left.exists()


def test_foreign_files_in_the_spool_are_left_alone(tmp_path: Path) -> None:
    with Bench(tmp_path / "home"):
        pass
    foreign = tmp_path / "home" / "spool" / "frames" / "ab" / "notes.txt"
    foreign.parent.mkdir()
    foreign.write_text("mine")
    with Bench(tmp_path / "home") as bench:
        assert foreign.exists()
        assert bench.service.spool_bytes() == 0


def test_an_engine_of_a_new_version_makes_new_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = request(PICTURES, count=6, settings={"seconds": 0.1})
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES, wanted)
        bench.wait_for(lambda: bench.service.info("j").done >= 2)
    info = dataclasses.replace(registry.info("blend"), version="2.0")
    newer = registry.Registration(info, "blend_engine.engine:BlendEngine")
    monkeypatch.setattr(registry, "_registrations", lambda: {"blend": newer})
    with Bench(tmp_path / "home") as bench:
        assert bench.wait("j").done == 6
        assert max(bench.computed().values()) == 2


def test_a_job_whose_engine_is_gone_fails_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.submit("j", request(PICTURES))
    monkeypatch.setattr(registry, "_registrations", dict)
    with Bench(tmp_path / "home") as bench:
        failed = bench.wait("j")
        assert failed.error is not None
        assert failed.error.code is ErrorCode.BAD_REQUEST
        assert "blend" in failed.error.message


def test_a_damaged_database_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
    (tmp_path / "home" / "jobs.sqlite3").write_bytes(b"\0garbage" * 1000)
    with Bench(tmp_path / "home") as bench:
        assert bench.service.jobs(9) == ()
        assert bench.submit("j", request(PICTURES)).done == (0, 1, 2)


def test_a_data_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "spool").write_text("a file where a folder should be")
    with pytest.raises(TweenbridgeError) as refused:
        Bench(tmp_path / "home")
    assert refused.value.code is ErrorCode.START_FAILED
    assert str(tmp_path) in str(refused.value)
