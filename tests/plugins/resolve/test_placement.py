"""Where in-betweens go: every frame strictly between keyframes exactly once, on a free track above."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.timing import Spacing, Timing
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.placement import Keyframe, Plan, Target, Track, choose_track, make_plan
from tweenbridge_resolve.timecode import AbsoluteFrame


def keyframes(*frames: int) -> list[Keyframe]:
    return [Keyframe(AbsoluteFrame(frame), f"K{frame}") for frame in frames]


positions = st.lists(st.integers(0, 400), min_size=2, max_size=7, unique=True).map(sorted)


@given(frames=positions, hold=st.integers(1, 4), spacing=st.sampled_from(Spacing))
def test_clips_cover_every_frame_between_keyframes_and_no_other(frames: list[int], hold: int, spacing: Spacing) -> None:
    between = [frame for a, b in zip(frames, frames[1:]) for frame in range(a + 1, b)]
    if not between:
        with pytest.raises(PluginError, match="there is no frame between them"):
            make_plan(keyframes(*frames), Timing(hold=hold))
        return
    plan = make_plan(keyframes(*frames), Timing(spacing=spacing, hold=hold))
    covered = [frame for clip in plan.clips for frame in range(clip.record, clip.end)]
    assert covered == between
    assert plan.frames == len(between)
    _check_sequence(plan)


def _check_sequence(plan: Plan) -> None:
    """Every frame of the sequence is written by exactly one drawing, and clips take it up without gap or overlap."""
    written = sorted(number for drawing in plan.schedule.drawings for number in plan.files_of(drawing.index))
    assert written == list(range(plan.frames))
    taken = [clip.source + i for clip in plan.clips for i in range(clip.length)]
    assert taken == list(range(plan.frames))


@given(frames=positions, count=st.integers(1, 8))
def test_fewer_drawings_are_spread_over_all_frames(frames: list[int], count: int) -> None:
    rooms = [b - a - 1 for a, b in zip(frames, frames[1:]) if b - a > 1]
    if not rooms:
        return
    if min(rooms) < count < max(rooms):
        with pytest.raises(PluginError, match=f"{count} in-betweens do not fit"):
            make_plan(keyframes(*frames), Timing(count=count))
        return
    plan = make_plan(keyframes(*frames), Timing(count=count))
    _check_sequence(plan)
    for gap in plan.schedule.gaps:
        times = {plan.schedule.drawings[index].t for index in gap.exposures} - {0.0}
        assert len(times) == min(count, len(gap.exposures)) or len(gap.exposures) < count


def test_a_loop_follows_the_last_keyframe() -> None:
    plan = make_plan(keyframes(10, 14), Timing(loop=True))
    assert [(clip.record, clip.length, clip.a, clip.b) for clip in plan.clips] == [
        (11, 3, "K10", "K14"),
        (15, 3, "K14", "K10"),
    ]


@pytest.mark.parametrize(
    ("frames", "timing", "sentence"),
    [
        ((5,), Timing(), "at least two keyframes"),
        ((5, 6, 7), Timing(), "neighbours"),
        ((5, 9), Timing(count=0), "No in-betweens were asked for"),
        ((5, 9), Timing(chart=(0.1, 0.2, 0.3, 0.4)), "4 in-betweens do not fit"),
    ],
)
def test_what_cannot_be_made(frames: tuple[int, ...], timing: Timing, sentence: str) -> None:
    with pytest.raises(PluginError, match=sentence):
        make_plan(keyframes(*frames), timing)


# ---------------------------------------------------------------- tracks


CLIPS = make_plan(keyframes(10, 20), Timing()).clips


def track(index: int, name: str, *spans: tuple[int, int], locked: bool = False, enabled: bool = True) -> Track:
    return Track(index, name, locked, enabled, spans)


@pytest.mark.parametrize(
    ("tracks", "target"),
    [
        ([], Target(None, "In-betweens", 1)),
        ([track(1, "Video 1")], Target(None, "In-betweens", 1)),
        ([track(1, "Video 1"), track(2, "In-betweens", (0, 11))], Target(2, "In-betweens", 1)),
        ([track(1, "Video 1"), track(2, "In-betweens", (20, 30))], Target(2, "In-betweens", 1)),
        ([track(1, "Video 1"), track(2, "In-betweens", (19, 30))], Target(None, "In-betweens take 2", 2)),
        ([track(1, "In-betweens"), track(2, "Titles")], Target(None, "In-betweens 2", 1)),
        ([track(1, "In-betweens", locked=True)], Target(None, "In-betweens 2", 1)),
        ([track(1, "In-betweens", enabled=False)], Target(None, "In-betweens 2", 1)),
        (
            [track(1, "In-betweens", locked=True), track(2, "In-betweens 2", locked=True)],
            Target(None, "In-betweens 3", 1),
        ),
        ([track(1, "In-betweens", (12, 14)), track(2, "In-betweens take 2")], Target(2, "In-betweens take 2", 2)),
        (
            [track(1, "In-betweens", (12, 14)), track(2, "In-betweens take 2", (12, 14)), track(3, "Titles", (12, 14))],
            Target(None, "In-betweens take 3", 3),
        ),
    ],
)
def test_the_track_for_a_take(tracks: list[Track], target: Target) -> None:
    assert choose_track(tracks, CLIPS) == target
