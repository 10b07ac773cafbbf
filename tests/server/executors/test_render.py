"""Gaps through a real worker and real image files: cuts, forms of results, adoption."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench import Bench, flat, png, request
from tweenbridge.pixels import Colour, Encoding, PixelFormat, SampleType, sniff
from tweenbridge.protocol.messages import JobRequest, JobState, Keyframe
from tweenbridge.timing import Timing
from tweenbridge_server.imaging import io


def scene(seed: int, side: int = 192) -> bytes:
    """A PNG of many coloured rectangles."""
    dice = np.random.default_rng(seed)
    picture = np.tile((dice.random(3) * 255).astype(np.uint8), (side, side, 1))
    for _ in range(40):
        (top, bottom), (left, right) = np.sort(dice.integers(0, side, (2, 2)))
        picture[top:bottom, left:right] = dice.random(3) * 255
    return png(side, side, picture.tobytes())


def pixels(bench: Bench, job: str, frame: int) -> np.ndarray:
    stored = bench.service.frame(job, frame)
    return io.read(stored.path, stored.format, "the frame").pixels


def test_a_cut_holds_the_nearer_keyframe_and_says_so(bench: Bench) -> None:
    pictures = [scene(4), scene(8)]
    bench.send("j", pictures, request(pictures, timing=Timing(count=4, chart=(0.2, 0.49, 0.5, 0.8))))
    done = bench.wait("j")
    assert done.state is JobState.DONE
    assert [(note.code, note.gap) for note in done.notes] == [("cut", 0)]
    assert [bench.bytes_of("j", frame) for frame in range(4)] == [pictures[0]] * 2 + [pictures[1]] * 2
    assert bench.computed() == {}


@pytest.mark.parametrize(
    "output",
    [
        PixelFormat(Encoding.TIFF),
        PixelFormat(Encoding.EXR),
        PixelFormat(Encoding.PNG, dtype=SampleType.UINT16),
        PixelFormat(Encoding.RAW, dtype=SampleType.UINT8),
    ],
)
def test_results_and_copies_have_the_form_that_was_asked_for(bench: Bench, output: PixelFormat) -> None:
    pictures = [flat(40), flat(80)]
    wanted = request(pictures, output=output, timing=Timing(count=3, chart=(0.0, 0.5, 1.0)))
    bench.send("j", pictures, wanted)
    assert bench.wait("j").state is JobState.DONE
    for frame, level in enumerate((40, 60, 80)):
        stored = bench.service.frame("j", frame)
        assert stored.format.encoding is output.encoding
        assert (stored.format.width, stored.format.height) == (16, 12)
        assert output.dtype in (None, stored.format.dtype)
        data = bench.bytes_of("j", frame)
        if output.encoding is Encoding.RAW:
            assert data == bytes([level]) * (3 * 16 * 12)
        else:
            assert sniff(data) is output.encoding
    assert np.allclose(pixels(bench, "j", 0), pixels(bench, "j", 0)[0, 0])


def test_raw_keyframes_go_through(tmp_path: Path) -> None:
    form = PixelFormat(Encoding.RAW, width=8, height=6, channels=4, dtype=SampleType.FLOAT32)
    rows = [np.full((6, 8, 4), value, np.float32) for value in (0.25, 0.75)]
    data = [row.tobytes() for row in rows]
    keyframes = tuple(
        Keyframe(hashlib.sha256(item).hexdigest(), len(item), form, index) for index, item in enumerate(data)
    )
    wanted = JobRequest(keyframes, Timing(count=3, chart=(0.0, 0.5, 1.0)), "blend")
    with Bench(tmp_path / "home") as bench:
        bench.send("j", data, wanted)
        assert bench.wait("j").state is JobState.DONE
        assert bench.bytes_of("j", 0) == data[0]
        assert bench.service.frame("j", 1).format.colour is Colour.SCENE_LINEAR
        first = bench.bytes_of("j", 1)
    for path in bench.home.glob("jobs.sqlite3*"):
        path.unlink()
    with Bench(tmp_path / "home") as bench:
        assert bench.send("j", data, wanted).done == (0, 1, 2)
        assert bench.bytes_of("j", 1) == first
        assert bench.service.frame("j", 1).format.width == 8


@pytest.mark.parametrize("profile", ["draft", "quality"])
def test_what_is_opaque_in_both_keyframes_is_opaque_between_them(tmp_path: Path, profile: str) -> None:
    dice = np.random.default_rng(3)
    ground = cv2.resize(dice.random((12, 16, 3), np.float32), (160, 120), interpolation=cv2.INTER_CUBIC)
    shown = [np.dstack([np.roll(ground, move, 1).clip(0, 1), np.ones((120, 160))]) for move in (0, 7)]
    data = [(picture * 65535).astype(np.uint16).tobytes() for picture in shown]
    form = PixelFormat(Encoding.RAW, width=160, height=120, channels=4, dtype=SampleType.UINT16)
    keyframes = tuple(
        Keyframe(hashlib.sha256(item).hexdigest(), len(item), form, index) for index, item in enumerate(data)
    )
    with Bench(tmp_path / "home") as bench:
        bench.send("j", data, JobRequest(keyframes, Timing(count=3), "flow", profile))
        assert bench.wait("j").state is JobState.DONE
        for frame in range(3):
            made = np.frombuffer(bench.bytes_of("j", frame), np.uint16)
            assert (made[3::4] == 65535).all()


def test_keyframes_with_and_without_alpha_share_a_gap(bench: Bench) -> None:
    shape = {"encoding": Encoding.RAW, "width": 4, "height": 4, "dtype": SampleType.UINT8}
    forms = [PixelFormat(channels=channels, **shape) for channels in (3, 4)]  # type: ignore[arg-type]
    data = [bytes([100]) * 48, bytes([200]) * 64]
    keyframes = tuple(
        Keyframe(hashlib.sha256(item).hexdigest(), len(item), form, index)
        for index, (item, form) in enumerate(zip(data, forms))
    )
    bench.send("j", data, JobRequest(keyframes, Timing(count=3, chart=(0.0, 0.5, 1.0)), "blend"))
    assert bench.wait("j").state is JobState.DONE
    assert [bench.service.frame("j", frame).format.channels for frame in range(3)] == [4, 4, 4]
    assert bench.bytes_of("j", 0) == bytes([100, 100, 100, 255]) * 16, "opaque where it has no alpha"
    assert bench.bytes_of("j", 2) == data[1]


def test_tags_and_form_follow_the_keyframe(bench: Bench) -> None:
    pictures = [flat(10), flat(90)]
    bench.send("j", pictures)
    bench.wait("j")
    form = bench.service.frame("j", 1).format
    assert (form.encoding, form.channels, form.dtype) == (Encoding.PNG, 3, SampleType.UINT8)
    assert np.allclose(pixels(bench, "j", 1) * 255, 50, atol=0.01)


def test_an_output_that_cannot_be_fails_in_a_sentence(bench: Bench) -> None:
    pictures = [flat(10), flat(90)]
    wanted = dataclasses.replace(request(pictures), output=PixelFormat(Encoding.JPEG, dtype=SampleType.FLOAT32))
    bench.send("j", pictures, wanted)
    failed = bench.wait("j")
    assert failed.error is not None
    assert failed.error.code.value == "unsupported_format"
    assert "JPEG" in failed.error.message
