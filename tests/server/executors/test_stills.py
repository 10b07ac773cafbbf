"""Keyframes that are decoded before a task asks for them, and forgotten when none does."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from bench import Bench, flat, request
from tweenbridge.pixels import Encoding, PixelFormat
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.protocol.messages import JobState
from tweenbridge_server.executors.base import KeyframeFile
from tweenbridge_server.executors.stills import Stills
from tweenbridge_server.imaging import io
from tweenbridge_server.jobs.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path)
    spool.create()
    return spool


def stored(spool: Spool, level: int, data: bytes | None = None) -> KeyframeFile:
    """A keyframe in the spool."""
    content = flat(level) if data is None else data
    name = f"{hashlib.sha256(content).hexdigest()}.png"
    spool.keyframe_path(name).write_bytes(content)
    return KeyframeFile(name, PixelFormat(Encoding.PNG), f"keyframe {level}")


def level(still: io.Still) -> int:
    return round(float(still.pixels[0, 0, 0]) * 255)


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on."""
    reads: list[str] = []
    read = io.read

    def counted(path: Path, form: PixelFormat, name: str) -> io.Still:
        reads.append(name)
        return read(path, form, name)

    monkeypatch.setattr(io, "read", counted)
    return reads


def test_an_expected_keyframe_is_read_once_and_before_it_is_asked_for(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = counted_reads(monkeypatch)
    a, b, stills = stored(spool, 10), stored(spool, 20), Stills()
    stills.expect(a, spool)
    give_up = time.monotonic() + 10
    while not reads and time.monotonic() < give_up:
        time.sleep(0.001)
    assert reads == [a.name]
    assert [level(still) for still in stills.pair(a, b, spool)] == [10, 20]
    assert sorted(reads) == [a.name, b.name]


def test_the_next_gap_reads_only_its_other_keyframe(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = counted_reads(monkeypatch)
    a, b, c = (stored(spool, number) for number in (10, 20, 30))
    stills = Stills()
    stills.pair(a, b, spool)
    assert [level(still) for still in stills.pair(b, c, spool)] == [20, 30]
    assert sorted(reads) == [a.name, b.name, c.name]
    stills.pair(a, a, spool)
    assert reads[3:] == [a.name]


def test_no_more_than_two_are_kept_for_tasks_that_do_not_come(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = counted_reads(monkeypatch)
    keyframes, stills = [stored(spool, number) for number in range(6)], Stills()
    for keyframe_file in keyframes:
        stills.expect(keyframe_file, spool)
    stills.pair(keyframes[4], keyframes[5], spool)
    # What nobody waits for may be read a little later.
    give_up = time.monotonic() + 10
    while len(reads) < 6 and time.monotonic() < give_up:
        time.sleep(0.001)
    assert len(reads) == 6
    stills.pair(keyframes[0], keyframes[3], spool)
    assert len(reads) == 8


def test_what_was_expected_in_vain_is_forgotten(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = counted_reads(monkeypatch)
    a, b, stills = stored(spool, 10), stored(spool, 20), Stills()
    stills.pair(a, a, spool)
    stills.expect(b, spool)
    give_up = time.monotonic() + 10
    while len(reads) < 2 and time.monotonic() < give_up:
        time.sleep(0.001)
    assert stills.forget_expected()
    assert not stills.forget_expected()
    stills.pair(a, b, spool)
    assert reads == [a.name, b.name, b.name]


def test_a_damaged_keyframe_is_reported_to_who_asks_and_read_anew(spool: Spool) -> None:
    a, b, stills = stored(spool, 10), stored(spool, 20, flat(20)[:60]), Stills()
    stills.expect(b, spool)
    with pytest.raises(TweenbridgeError, match="Keyframe 20 is damaged") as caught:
        stills.pair(a, b, spool)
    assert caught.value.info.code is ErrorCode.BAD_KEYFRAME
    assert [level(still) for still in stills.pair(a, stored(spool, 20), spool)] == [10, 20]


@pytest.mark.parametrize("damage", ["one bit", "cut short", "gone"])
def test_a_keyframe_that_the_disk_has_damaged_is_deleted(spool: Spool, damage: str) -> None:
    """Its client is asked for it again then, and its bytes are never taken for what was sent."""
    a, b = stored(spool, 10), stored(spool, 20)
    path = spool.keyframe_path(b.file)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data[:40] if damage == "cut short" else data)
    if damage == "gone":
        path.unlink()
    with pytest.raises(TweenbridgeError, match="Keyframe 20 was lost or damaged on the server's disk") as caught:
        Stills().pair(a, b, spool)
    assert caught.value.info.code is ErrorCode.DISK_FAILED
    assert "Generate again" in caught.value.remedy
    assert not path.exists()


def test_a_worker_that_dies_after_reading_ahead_loses_nothing(bench: Bench) -> None:
    import psutil

    pictures = [flat(40), flat(80)]
    bench.submit("j", request(pictures))
    bench.wait_for(lambda: bench.service.workers() != ())
    bench.service.put("j", 0, memoryview(pictures[0]))
    psutil.Process(bench.service.workers()[0].pid).kill()
    bench.service.put("j", 1, memoryview(pictures[1]))
    assert bench.wait("j").state is JobState.DONE


def test_a_cancelled_job_s_keyframe_serves_the_next_job(bench: Bench) -> None:
    pictures = [flat(40), flat(80)]
    bench.submit("j", request(pictures))
    bench.service.put("j", 0, memoryview(pictures[0]))
    bench.service.cancel("j")
    bench.send("k", pictures, request(pictures))
    assert bench.wait("k").state is JobState.DONE
