"""Files of the spool that the disk has damaged, or that are gone: noticed before anybody gets them, and made again."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.jobs import results

PICTURES = [flat(10), flat(90)]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "one bit": flip,
    "cut short": lambda path: os.truncate(path, 20),
    "empty": lambda path: os.truncate(path, 0),
    "gone": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_damaged_frame_is_never_given_out_and_is_made_again(tmp_path: Path, damage: str, restarted: bool) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        sound = [bench.bytes_of("j", frame) for frame in range(3)]
        path = bench.service.frame("j", 1).path
        if not restarted:
            hurt_and_made_again(bench, path, damage, sound)
    if restarted:
        DAMAGE[damage](path)
        with Bench(tmp_path / "home") as bench:
            hurt_and_made_again(bench, path, "", sound)


def hurt_and_made_again(bench: Bench, path: Path, damage: str, sound: list[bytes]) -> None:
    if damage:
        DAMAGE[damage](path)
    with pytest.raises(TweenbridgeError) as refused:
        bench.service.frame("j", 1)
    assert refused.value.code is ErrorCode.EXPIRED
    assert bench.submit("j", request(PICTURES)).done == (0, 2)
    assert bench.wait("j").state is JobState.DONE
    assert [bench.bytes_of("j", frame) for frame in range(3)] == sound
    assert sum(bench.computed().values()) == 4, "and only that one"


@pytest.mark.parametrize("when", [3, 9])
def test_a_frame_that_is_damaged_while_its_job_runs_is_made_again(tmp_path: Path, when: int) -> None:
    """While its own gap is being made, and afterwards."""
    pictures = [flat(10), flat(50), flat(90)]
    wanted = request(pictures, count=8, settings={"seconds": 0.05})
    with Bench(tmp_path / "home") as bench:
        bench.send("j", pictures, wanted)
        bench.wait_for(lambda: bench.service.info("j").done >= when)
        flip(bench.service.frame("j", 0).path)
        with pytest.raises(TweenbridgeError) as refused:
            bench.service.frame("j", 0)
        assert refused.value.code is ErrorCode.NOT_READY
        assert 0 not in bench.submit("j", wanted).done
        assert bench.wait("j").done == 16
        assert len([bench.bytes_of("j", frame) for frame in range(16)]) == 16
        assert sum(bench.computed().values()) <= 17


def test_a_frame_that_cannot_be_read_just_now_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when descriptors have run out."""

    def refuse(path: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        sound = bench.bytes_of("j", 0)
        os.utime(bench.service.frame("j", 0).path)  # so that it is hashed once more
        with monkeypatch.context() as patch:
            patch.setattr(results, "hash_file", refuse)
            with pytest.raises(TweenbridgeError, match="Too many open files") as refused:
                bench.service.frame("j", 0)
        assert refused.value.code is ErrorCode.DISK_FAILED
        assert bench.bytes_of("j", 0) == sound
        assert sum(bench.computed().values()) == 3


def test_a_damaged_keyframe_is_asked_for_again(tmp_path: Path) -> None:
    with Bench(tmp_path / "home") as bench:
        bench.send("j", PICTURES)
        bench.wait("j")
        sound = bench.bytes_of("j", 1)
    (path,) = [path for path in (tmp_path / "home/spool/keyframes").iterdir() if path.read_bytes() == PICTURES[1]]
    flip(path)
    wanted = request(PICTURES, count=7)
    with Bench(tmp_path / "home") as bench:
        assert bench.submit("k", wanted).need == ()
        failed = bench.wait("k")
        assert failed.error is not None and failed.error.code is ErrorCode.DISK_FAILED
        assert "Keyframe 2 (k100.png)" in failed.error.message
        assert bench.submit("k", wanted).need == (1,)
        bench.service.put("k", 1, memoryview(PICTURES[1]))
        assert bench.wait("k").state is JobState.DONE
        assert bench.bytes_of("k", 3) == sound, "the frame in the middle is the same"


def test_a_frame_that_stays_as_it_was_made_is_not_hashed_before_it_is_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    take = results.hash_file
    monkeypatch.setattr(results, "hash_file", lambda path: hashed.append(path) or take(path))
    bench.send("j", PICTURES)
    bench.wait("j")
    path = [bench.service.frame("j", frame).path for frame in (0, 1, 1)][-1]
    assert hashed == []
    os.utime(path)
    assert [bench.service.frame("j", 1).path for _ in range(2)] == [path, path]
    assert hashed == [path], "once, for it may have changed"
