"""A disk that fills up, really: a small tmpfs."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import Bench, png, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("Mounting a small disk needs Linux and root.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def noise(seed: int, side: int = 160) -> bytes:
    """A PNG of about 77 kB that does not compress."""
    return png(side, side, random.Random(seed).randbytes(3 * side * side))


@contextmanager
def filled(folder: Path, leave: int = 0) -> Iterator[None]:
    """The disk has only `leave` bytes left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * piece)
            except OSError:
                continue
        file.truncate(max(0, file.tell() - leave))
    try:
        yield
    finally:
        ballast.unlink()


WRITERS_LEAVE = 16 * 1024 * 1024
"""What imaging leaves free of the disk."""
PICTURES = [noise(1), noise(2)]
WANTED = request(PICTURES, count=30)


def still_works(bench: Bench) -> None:
    small = [noise(3, 20), noise(4, 20)]
    bench.send("after", small)
    assert bench.wait("after").state is JobState.DONE


def test_while_receiving(small_disk: Path) -> None:
    with Bench(small_disk / "home") as bench:
        bench.submit("j", WANTED)
        with filled(small_disk, leave=40_960):
            with pytest.raises(TweenbridgeError) as full:
                bench.service.put("j", 0, memoryview(PICTURES[0]))
            assert full.value.code is ErrorCode.DISK_FULL
            assert bench.wait("j").state is JobState.FAILED
        assert list((small_disk / "home" / "spool" / "tmp").iterdir()) == []
        assert bench.submit("j", request(PICTURES, count=30)).need == (0, 1)
        still_works(bench)


def test_while_producing(small_disk: Path) -> None:
    with Bench(small_disk / "home") as bench:
        with filled(small_disk, leave=WRITERS_LEAVE + 1_000_000):
            bench.send("j", PICTURES, WANTED)
            failed = bench.wait("j")
        assert failed.error is not None
        assert failed.error.code is ErrorCode.DISK_FULL
        assert "disk" in failed.error.message
        assert 5 < failed.done < 30
        for frame in range(failed.done):
            bench.bytes_of("j", frame)
        assert list((small_disk / "home" / "spool" / "tmp").iterdir()) == []
        still_works(bench)


def test_finished_frames_are_kept_when_there_is_room_again(small_disk: Path) -> None:
    wanted = request(PICTURES, count=9)
    with Bench(small_disk / "home") as bench:
        with filled(small_disk, leave=WRITERS_LEAVE + 600_000):
            bench.send("j", PICTURES, wanted)
            failed = bench.wait("j")
            assert failed.error is not None
            assert failed.error.code is ErrorCode.DISK_FULL
        bench.submit("j", wanted)
        assert bench.wait("j").state is JobState.DONE
        assert len([bench.bytes_of("j", frame) for frame in range(9)]) == 9
        assert sum(bench.computed().values()) <= 9 + 3


def test_no_byte_left(small_disk: Path) -> None:
    """Not even the database can be written."""
    with Bench(small_disk / "home") as bench:
        bench.send("before", [noise(5, 20), noise(6, 20)])
        bench.wait("before")
        bench.send("running", [noise(7, 20), noise(8, 20)], request([noise(7, 20), noise(8, 20)], count=99))
        with filled(small_disk):
            for attempt in range(50):
                try:
                    bench.submit(f"full{attempt}", request([noise(9, 20), noise(10, 20)], count=attempt + 1))
                except TweenbridgeError as error:
                    assert error.code is ErrorCode.DISK_FULL
                    break
            else:
                pytest.fail("fifty jobs were stored on a full disk")
            assert bench.wait("running").state in (JobState.DONE, JobState.FAILED)
            assert bench.service.info("before").state is JobState.DONE
            bench.bytes_of("before", 0)
        bench.service.keep_house()
        still_works(bench)
        state = bench.service.info("running").state
    with Bench(small_disk / "home") as bench:
        assert bench.service.info("running").state is state
        assert bench.service.info("before").state is JobState.DONE
        still_works(bench)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write to a folder, not even root."""
    for options in (["--bind", str(folder), str(folder)], ["-o", "remount,ro,bind", str(folder)]):
        subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_folder_that_cannot_be_written_is_said_and_costs_nothing(small_disk: Path) -> None:
    small = [noise(3, 20), noise(4, 20)]
    with Bench(small_disk / "home") as bench:
        bench.send("made", small, request(small, count=20, settings={"seconds": 0.05}))
        bench.wait_for(lambda: bench.service.info("made").done >= 2)
        bench.submit("other", request([noise(5, 20), noise(6, 20)]))
        with read_only(small_disk / "home" / "spool"):
            with pytest.raises(TweenbridgeError, match="cannot be written") as refused:
                bench.service.put("other", 0, memoryview(noise(5, 20)))
            assert refused.value.code is ErrorCode.DISK_FAILED
            failed = bench.wait("made")
            assert failed.error is not None
            assert failed.error.code is ErrorCode.DISK_FAILED
            bench.bytes_of("made", 0)
        bench.submit("made", request(small, count=20, settings={"seconds": 0.05}))
        assert bench.wait("made").done == 20
        assert sum(bench.computed().values()) <= 20 + 3
        still_works(bench)
