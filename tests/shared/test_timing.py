"""When in-betweens are: counts, holds, charts, loops and eases hold for any input."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tweenbridge.protocol.errors import ErrorCode, TweenbridgeError
from tweenbridge.timing import MAX_HOLD, Spacing, Timing, ease, schedule

POSITIONS = st.lists(st.integers(-1000, 1000), min_size=2, max_size=6, unique=True).map(sorted)
SPACINGS = st.sampled_from(Spacing)
TIMINGS = st.builds(
    Timing,
    count=st.none() | st.integers(0, 40),
    spacing=SPACINGS,
    hold=st.integers(1, MAX_HOLD),
    loop=st.booleans(),
)
UNIT = st.floats(0.0, 1.0)


@given(positions=POSITIONS, timing=TIMINGS)
def test_every_slot_shows_a_drawing_and_every_drawing_is_shown(positions: list[int], timing: Timing) -> None:
    plan = schedule(positions, timing)
    assert [drawing.index for drawing in plan.drawings] == list(range(len(plan.drawings)))
    assert len(plan.gaps) == len(positions) - 1 + timing.loop
    shown = [index for gap in plan.gaps for index in gap.exposures]
    assert sorted(set(shown)) == list(range(len(plan.drawings)))
    assert shown == sorted(shown)
    for gap in plan.gaps:
        for index in gap.exposures:
            assert plan.drawings[index].gap == gap.index
    for drawing in plan.drawings:
        assert 0.0 <= drawing.t < 1.0


@given(positions=POSITIONS, timing=TIMINGS)
def test_the_slots_fill_the_gap_or_are_as_many_as_asked(positions: list[int], timing: Timing) -> None:
    plan = schedule(positions, timing)
    room = [right - left - 1 for left, right in zip(positions, positions[1:])]
    room += room[-1:] if timing.loop else []
    for gap, free in zip(plan.gaps, room):
        assert len(gap.exposures) == (free if timing.count is None else timing.count)


@given(positions=POSITIONS, timing=TIMINGS)
def test_a_drawing_is_held_for_the_hold_and_the_last_for_what_is_left(positions: list[int], timing: Timing) -> None:
    for gap in schedule(positions, timing).gaps:
        lengths = [len(list(group)) for _, group in itertools.groupby((0, *[i + 1 for i in gap.exposures]))]
        runs = [len(list(group)) for _, group in itertools.groupby(gap.exposures)]
        assert lengths[0] == 1
        whole = runs[1:-1] if timing.hold > 1 else runs[:-1]
        assert all(run == timing.hold for run in whole)
        if runs and timing.hold > 1:
            assert runs[0] == min(timing.hold - 1, len(gap.exposures)), "keyframe A itself is the first of its hold"


@given(positions=POSITIONS, timing=TIMINGS)
def test_times_rise_within_a_gap(positions: list[int], timing: Timing) -> None:
    plan = schedule(positions, timing)
    for gap in plan.gaps:
        times = [plan.drawings[index].t for index in sorted(set(gap.exposures))]
        assert all(earlier < later for earlier, later in zip(times, times[1:]))


@given(spacing=SPACINGS, a=UNIT, b=UNIT)
def test_eases_are_monotone_and_keep_the_ends(spacing: Spacing, a: float, b: float) -> None:
    assert ease(spacing, 0.0) == 0.0
    assert ease(spacing, 1.0) == pytest.approx(1.0)
    low, high = sorted((a, b))
    assert ease(spacing, low) <= ease(spacing, high) + 1e-15


@given(u=UNIT)
def test_easing_in_and_out_mirror_each_other(u: float) -> None:
    assert ease(Spacing.EASE_IN, u) == pytest.approx(1.0 - ease(Spacing.EASE_OUT, 1.0 - u))
    assert ease(Spacing.EASE_IN_OUT, u) == pytest.approx(1.0 - ease(Spacing.EASE_IN_OUT, 1.0 - u))
    assert ease(Spacing.EASE_IN, u) <= u + 1e-12
    assert ease(Spacing.EASE_OUT, u) >= u - 1e-12


@given(chart=st.lists(UNIT, min_size=1, max_size=8).map(tuple), extra=st.integers(0, 20))
def test_a_chart_is_shown_in_full_where_there_is_room(chart: tuple[float, ...], extra: int) -> None:
    slots = len(chart) + extra
    plan = schedule([0, slots + 1], Timing(chart=chart))
    times = [drawing.t for drawing in plan.drawings]
    assert times[-len(chart) :] == list(chart)
    assert times[: -len(chart)] in ([], [0.0]), "before the first, the keyframe itself is held"
    runs = [len(list(group)) for _, group in itertools.groupby(plan.gaps[0].exposures)]
    assert max(runs) - min(runs[1:] or runs) <= 1, "as even as the slots allow"


def test_a_chart_without_room_makes_its_own() -> None:
    plan = schedule([0, 1], Timing(chart=(0.25, 0.75), hold=2))
    assert len(plan.gaps[0].exposures) == 5
    assert [drawing.t for drawing in plan.drawings] == [0.0, 0.25, 0.75]


def test_the_slots_of_a_drawing() -> None:
    plan = schedule([0, 6], Timing(hold=2))
    assert [plan.slots_of(drawing) for drawing in plan.drawings] == [(1,), (2, 3), (4, 5)]


def test_a_loop_leads_back_to_the_first_keyframe() -> None:
    plan = schedule([0, 2, 5], Timing(loop=True))
    assert [(gap.a, gap.b, len(gap.exposures)) for gap in plan.gaps] == [(0, 1, 1), (1, 2, 2), (2, 0, 2)]


@pytest.mark.parametrize(
    ("positions", "timing", "named"),
    [
        ([0], Timing(), "two keyframes"),
        ([0, 0], Timing(), "Keyframe 2"),
        ([0, 5, 3], Timing(), "Keyframe 3"),
        ([0, 5], Timing(count=-1), "negative"),
        ([0, 5], Timing(hold=0), "hold|held"),
        ([0, 5], Timing(hold=MAX_HOLD + 1), "held"),
        ([0, 5], Timing(chart=(1.5,)), "1.5"),
        ([0, 5], Timing(chart=(math.nan,)), "nan"),
        ([0, 3], Timing(chart=(0.2, 0.4, 0.6)), "3 drawings"),
    ],
)
def test_mistakes_are_named(positions: list[int], timing: Timing, named: str) -> None:
    with pytest.raises(TweenbridgeError, match=named) as caught:
        schedule(positions, timing)
    assert caught.value.code is ErrorCode.BAD_REQUEST
