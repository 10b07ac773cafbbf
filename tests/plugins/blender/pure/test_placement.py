"""Channels and room on the timeline."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tween_blender.errors import PluginError
from tween_blender.gaps import GapRange, Span, from_list, from_markers, from_strips
from tween_blender.gaps import Marker as At
from tween_blender.placement import Move, frames_needed, lowest_free_channel, make_room, ripple


@st.composite
def timelines(draw: st.DrawFn) -> list[Span]:
    """Strips anywhere, with names of their own, none overlapping another on its channel."""
    spans: list[Span] = []
    for i in range(draw(st.integers(0, 12))):
        start, channel = draw(st.integers(-50, 150)), draw(st.integers(1, 6))
        span = Span(f"s{i}", channel, start, start + draw(st.integers(1, 60)), draw(st.booleans()))
        if not any(overlap(span, other) for other in spans):
            spans.append(span)
    return spans


def overlap(one: Span, other: Span) -> bool:
    return one.channel == other.channel and one.start < other.end and other.start < one.end


def after(spans: list[Span], moves: tuple[Move, ...]) -> dict[str, Span]:
    by = {move.name: move.by for move in moves}
    assert len(by) == len(moves)
    return {
        s.name: Span(s.name, s.channel, s.start + by.get(s.name, 0), s.end + by.get(s.name, 0), s.picture)
        for s in spans
    }


def test_an_empty_timeline_starts_at_channel_1() -> None:
    assert lowest_free_channel([], 1, 11) == 1


def test_sound_takes_its_channel_and_hides_nothing() -> None:
    sound = Span("sound", 1, 0, 100, picture=False)
    assert lowest_free_channel([sound], 11, 21) == 2
    assert lowest_free_channel([Span("sound", 3, 0, 100, picture=False)], 11, 21) == 1


def test_strips_that_only_touch_the_gap_leave_it_free() -> None:
    assert lowest_free_channel([Span("a", 1, 1, 11), Span("b", 1, 21, 31)], 11, 21) == 1


def test_in_betweens_are_not_put_under_a_backdrop_or_a_held_drawing() -> None:
    held, sound = Span("held", 2, 1, 100), Span("sound", 3, 1, 100, picture=False)
    assert lowest_free_channel([held, sound], 11, 21) == 4


def test_no_free_channel_is_said() -> None:
    with pytest.raises(PluginError, match="frames 11 to 20") as caught:
        lowest_free_channel([Span("top", 128, 0, 100)], 11, 21)
    assert caught.value.remedy


@given(timelines(), st.integers(-60, 160), st.integers(1, 60), st.integers(1, 8))
def test_the_channel_is_free_seen_and_the_lowest_such(spans: list[Span], start: int, length: int, highest: int) -> None:
    def fits(channel: int) -> bool:
        new = Span("new", channel, start, start + length)
        hidden = any(s.picture and s.channel > channel and s.start < new.end and new.start < s.end for s in spans)
        return not hidden and not any(overlap(new, other) for other in spans)

    good = [channel for channel in range(1, highest + 1) if fits(channel)]
    if good:
        assert lowest_free_channel(spans, start, start + length, highest) == good[0]
    else:
        with pytest.raises(PluginError):
            lowest_free_channel(spans, start, start + length, highest)


@pytest.mark.parametrize(
    ("gap", "count", "needed"),
    [
        (GapRange(0, 0, 1, 11, 21), 10, 0),
        (GapRange(0, 0, 1, 11, 21), 3, 0),
        (GapRange(0, 0, 1, 11, 21), 14, 4),
        (GapRange(0, 0, 1, 11, 11), 5, 5),
        (GapRange(0, 0, 1, 11, 11, overlap=3), 5, 8),
        (GapRange(0, 0, 1, 11, 11, overlap=3), 0, 3),
    ],
)
def test_frames_needed(gap: GapRange, count: int, needed: int) -> None:
    assert frames_needed(gap, count) == needed


@given(timelines(), st.integers(-60, 160), st.integers(0, 100))
def test_ripple_opens_room_and_lets_no_strip_overlap(spans: list[Span], at: int, by: int) -> None:
    moved = after(spans, ripple(spans, at, by))
    for span in spans:
        assert moved[span.name].start == span.start + (by if span.start >= at else 0)
    found = list(moved.values())
    assert not any(overlap(one, other) for i, one in enumerate(found) for other in found[:i])
    # What begins in the opened room began before it.
    assert not any(at <= span.start < at + by for span in found)


def test_ripple_only_makes_room() -> None:
    with pytest.raises(ValueError, match="later frames"):
        ripple([], 1, -1)


def test_make_room_where_all_fit_moves_nothing() -> None:
    spans = [Span("a", 1, 1, 11), Span("b", 1, 21, 31)]
    found = from_strips(spans)
    room = make_room(spans, found, [4])
    assert room.moves == ()
    assert room.gaps == found.gaps


def test_make_room_for_several_gaps_adds_up() -> None:
    spans = [Span("a", 1, 1, 11), Span("b", 1, 11, 21), Span("c", 1, 23, 33), Span("later", 2, 40, 50)]
    music = Span("music", 5, 1, 60, picture=False)
    found = from_strips(spans[:3])
    room = make_room([*spans, music], found, [5, 6])
    assert set(room.moves) == {Move("b", 5), Move("c", 9), Move("later", 9)}
    assert [(gap.start, gap.end) for gap in room.gaps] == [(11, 16), (26, 32)]


@given(timelines(), st.data())
def test_every_gap_gets_its_room(spans: list[Span], data: st.DataObject) -> None:
    pictures = [span for span in spans if span.picture]
    try:
        found = from_strips(pictures)
    except PluginError:
        assume(False)
    counts = [data.draw(st.integers(0, 30)) for _ in found.gaps]
    room = make_room(spans, found, counts)
    moved = after(spans, room.moves)
    everything = list(moved.values())
    assert not any(overlap(one, other) for i, one in enumerate(everything) for other in everything[:i])
    for gap, count in zip(room.gaps, counts):
        left, right = moved[found.keyframes[gap.a].strip], moved[found.keyframes[gap.b].strip]
        assert (left.end, right.start) == (gap.start, gap.end)
        assert gap.length >= count
        assert gap.overlap == 0
    assert all(move.by > 0 for move in room.moves)


@pytest.mark.parametrize("strips", [(), ("held", "held")])
def test_a_held_drawing_cannot_be_torn_apart(strips: tuple[str, ...]) -> None:
    held = Span("held", 1, 1, 50)
    found = from_list([10, 11], ["a", "b"], strips)
    with pytest.raises(PluginError, match="“held” goes on across frame 11") as caught:
        make_room([held], found, [4])
    assert "Split it at frame 11" in caught.value.remedy


def test_markers_on_two_strips_can_make_room() -> None:
    spans = [Span("a", 1, 1, 11), Span("b", 1, 11, 21), Span("title", 1, 30, 40)]
    found = from_markers([At("x", 10), At("y", 11)])
    room = make_room(spans, found, [4])
    assert set(room.moves) == {Move("b", 4), Move("title", 4)}
    assert [(gap.start, gap.end) for gap in room.gaps] == [(11, 15)]
