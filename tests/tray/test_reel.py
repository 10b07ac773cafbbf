"""The order in which a job's pictures are shown, and the numbers that files of a sequence bear."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tweenbridge import Encoding, JobRequest, PixelFormat, Timing, schedule
from tweenbridge.protocol.messages import Keyframe
from tweenbridge_tray.state.reel import reel
from tweenbridge_tray.state.saving import folder_for, numbers

timings = st.builds(Timing, count=st.integers(0, 6), hold=st.integers(1, 3), loop=st.booleans())


def request(keyframes: int, timing: Timing) -> JobRequest:
    found = tuple(Keyframe("0" * 64, 1, PixelFormat(Encoding.PNG), 10 * index) for index in range(keyframes))
    return JobRequest(found, timing)


@given(st.integers(2, 5), timings)
def test_a_reel_shows_every_keyframe_once_and_every_slot(keyframes: int, timing: Timing) -> None:
    plan = schedule([10 * index for index in range(keyframes)], timing)
    shown = reel(request(keyframes, timing))
    assert [each.keyframe for each in shown if each.keyframe is not None] == list(range(keyframes))
    assert [each.frame for each in shown if each.frame is not None] == [i for gap in plan.gaps for i in gap.exposures]
    assert all(0 <= each.t <= 1 for each in shown)


@given(st.integers(2, 5), timings, st.booleans())
def test_files_are_numbered_without_holes(keyframes: int, timing: Timing, with_keyframes: bool) -> None:
    plan = schedule([10 * index for index in range(keyframes)], timing)
    drawings, stills = numbers(plan, with_keyframes)
    found = sorted([number for each in drawings.values() for number in each] + list(stills.values()))
    assert found == list(range(1, len(found) + 1))
    assert len(stills) == (keyframes if with_keyframes else 0)


def test_folders_are_named_by_keyframes_and_never_used_twice(tmp_path: Path) -> None:
    first = folder_for(tmp_path, "a/b.png", "c: d?.exr")
    assert first.parent == tmp_path and first.name == "b-to-c_ d_"
    first.mkdir()
    assert folder_for(tmp_path, "a/b.png", "c: d?.exr").name == "b-to-c_ d_ 2"
