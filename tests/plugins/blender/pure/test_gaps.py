"""Selection to keyframes and gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tween_blender.errors import PluginError
from tween_blender.gaps import (
    Found,
    GapRange,
    KeyframeAt,
    Marker,
    Source,
    Span,
    from_list,
    from_markers,
    from_strips,
    runs,
)

frames = st.integers(-1000, 100_000)
lengths = st.integers(1, 200)


@st.composite
def shots(draw: st.DrawFn) -> list[Span]:
    """Strips that follow one another, with gaps, touching or overlapping."""
    start, spans, last_start, last_end = draw(frames), [], None, None
    for i in range(draw(st.integers(2, 6))):
        length = draw(lengths)
        if last_start is not None and last_end is not None:
            start = max(last_end + draw(st.integers(-50, 50)), last_start + 1)
            length = max(length, last_end - start + 1)
        spans.append(Span(f"s{i}", draw(st.integers(1, 9)), start, start + length))
        last_start, last_end = start, start + length
    return spans


def test_two_strips_with_a_gap() -> None:
    found = from_strips([Span("b", 2, 21, 31), Span("a", 1, 1, 11)])
    assert found == Found(
        Source.STRIPS,
        (KeyframeAt(10, "a, last frame", "a"), KeyframeAt(21, "b, first frame", "b")),
        (GapRange(0, 0, 1, 11, 21),),
    )
    assert found.gaps[0].length == 10


def test_a_strip_of_one_frame_is_one_keyframe_of_both_its_gaps() -> None:
    found = from_strips([Span("a", 1, 1, 2), Span("b", 1, 5, 6), Span("c", 1, 9, 10)])
    assert [keyframe.frame for keyframe in found.keyframes] == [1, 5, 9]
    assert [keyframe.label for keyframe in found.keyframes] == ["a", "b", "c"]
    assert [(gap.a, gap.b) for gap in found.gaps] == [(0, 1), (1, 2)]
    assert runs(found) == (found.gaps,)


def test_longer_strips_make_runs_of_their_own() -> None:
    found = from_strips([Span("a", 1, 1, 5), Span("b", 1, 9, 12), Span("c", 1, 20, 21), Span("d", 1, 30, 33)])
    assert [(gap.a, gap.b) for gap in found.gaps] == [(0, 1), (2, 3), (3, 4)]
    assert [[gap.index for gap in run] for run in runs(found)] == [[0], [1, 2]]


def test_touching_strips_have_a_gap_without_frames_and_a_note() -> None:
    found = from_strips([Span("a", 1, 1, 11), Span("b", 1, 11, 21)])
    assert found.gaps == (GapRange(0, 0, 1, 11, 11),)
    assert found.gaps[0].length == 0
    assert found.notes == ("There is no gap between “a” and “b”: later strips have to move.",)


def test_overlapping_strips_hide_each_other() -> None:
    found = from_strips([Span("a", 1, 1, 11), Span("b", 2, 8, 21)])
    assert found.gaps == (GapRange(0, 0, 1, 11, 11, overlap=3),)
    assert found.gaps[0].later == 8
    assert [(k.frame, k.hide) for k in found.keyframes] == [(10, ("b",)), (8, ("a",))]
    assert "overlap by 3 frames" in found.notes[0]


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [Span("a", 1, 1, 11)],
        [Span("a", 1, 1, 11), Span("b", 2, 1, 21)],
        [Span("a", 1, 1, 30), Span("b", 2, 8, 21)],
        [Span("a", 1, 1, 30), Span("b", 2, 8, 30)],
    ],
)
def test_what_does_not_follow_one_another_is_refused_with_a_remedy(spans: list[Span]) -> None:
    with pytest.raises(PluginError) as caught:
        from_strips(spans)
    assert str(caught.value).endswith(".")
    assert caught.value.remedy == "Select two or more strips that follow one another in time."


@given(shots(), st.randoms())
def test_gaps_lie_between_strips_whatever_their_order(spans: list[Span], random: object) -> None:
    mixed = list(spans)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    found = from_strips(mixed)
    assert len(found.gaps) == len(spans) - 1
    for gap, left, right in zip(found.gaps, spans, spans[1:]):
        a, b = found.keyframes[gap.a], found.keyframes[gap.b]
        assert (a.strip, b.strip) == (left.name, right.name)
        assert (a.frame, b.frame) == (left.end - 1, right.start)
        assert gap.length == max(0, right.start - left.end)
        assert gap.later == right.start
        # In-betweens are strictly between the keyframes.
        assert gap.length == 0 or (a.frame < gap.start and gap.end == b.frame)
        assert a.frame + 1 == gap.start
    for keyframe in found.keyframes:
        seen = {span.name for span in spans if span.start <= keyframe.frame < span.end}
        assert seen - set(keyframe.hide) == {keyframe.strip}


@given(shots())
def test_runs_hold_every_gap_once_and_share_keyframes(spans: list[Span]) -> None:
    found = from_strips(spans)
    grouped = runs(found)
    assert tuple(gap for run in grouped for gap in run) == found.gaps
    for run in grouped:
        assert all(one.b == other.a for one, other in zip(run, run[1:]))
    for one, other in zip(grouped, grouped[1:]):
        assert one[-1].b != other[0].a


def test_a_list_is_put_in_order_and_doubles_count_once() -> None:
    found = from_list([20, 1, 10, 10], ["c", "a", "b", "again"], ["s", "s", "s", "s"])
    assert found.keyframes == (KeyframeAt(1, "a", "s"), KeyframeAt(10, "b", "s"), KeyframeAt(20, "c", "s"))
    assert [(gap.start, gap.end) for gap in found.gaps] == [(2, 10), (11, 20)]
    assert found.source is Source.LIST
    assert found.notes == ()


def test_neighbouring_frames_of_a_list_are_noted() -> None:
    found = from_list([4, 5], ["a", ""])
    assert found.gaps[0].length == 0
    assert found.notes == ("“a” and “Frame 5” are neighbours: there is no frame between them.",)


@pytest.mark.parametrize("chosen", [[], [7], [7, 7]])
def test_a_list_needs_two_frames(chosen: list[int]) -> None:
    with pytest.raises(PluginError, match="two key drawings") as caught:
        from_list(chosen, ["x"] * len(chosen))
    assert "Add Key Drawing at Playhead" in caught.value.remedy


def test_labels_have_to_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        from_list([1, 2], ["a"])


def test_selected_markers_count_when_there_are_two() -> None:
    every = [Marker("x", 1), Marker("a", 30, True), Marker("y", 20), Marker("b", 10, True)]
    assert [k.label for k in from_markers(every).keyframes] == ["b", "a"]
    one = [Marker("x", 1), Marker("a", 30, True), Marker("y", 20)]
    assert [k.label for k in from_markers(one).keyframes] == ["x", "y", "a"]
    same_frame = [Marker("x", 1), Marker("a", 30, True), Marker("b", 30, True)]
    assert [k.frame for k in from_markers(same_frame).keyframes] == [1, 30]


@pytest.mark.parametrize("markers", [[], [Marker("a", 3)], [Marker("a", 3, True), Marker("b", 3)]])
def test_markers_need_two_frames(markers: list[Marker]) -> None:
    with pytest.raises(PluginError, match="two markers"):
        from_markers(markers)


@given(st.lists(frames, min_size=2, max_size=20).filter(lambda chosen: len(set(chosen)) > 1))
def test_a_list_and_markers_fill_everything_between(chosen: list[int]) -> None:
    found = from_list(chosen, ["x"] * len(chosen))
    marked = from_markers(Marker("x", frame) for frame in chosen)
    assert (marked.keyframes, marked.gaps) == (found.keyframes, found.gaps)
    filled = [frame for gap in found.gaps for frame in range(gap.start, gap.end)]
    expected = set(range(min(chosen), max(chosen) + 1)) - set(chosen) if max(chosen) - min(chosen) < 5000 else None
    assert expected is None or (len(filled) == len(expected) and set(filled) == expected)
    assert runs(found) == (found.gaps,)
