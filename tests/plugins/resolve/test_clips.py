"""From clip to clip: a gap is filled, a cut is bridged, titles stay out of it and above it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve, shots
from resolve_shots import draft, drawn, finish, layout, mark, read, shown, timeline_of, view
from tweenbridge import Client
from tweenbridge_resolve.cautions import cautions, transitions
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.finding import Found, best, look
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.host import Host
from tweenbridge_resolve.timeline import Source


def frames_of(host: Host, found: Found) -> list[int]:
    return [keyframe.frame - host.start for keyframe in found.keyframes]


def make(resolve: Any, client: Client, films: Path) -> tuple[Run, Found]:
    host = Host(resolve)
    found = best(host)
    made = Run(host, client, found.keyframes, draft(films), colour=found.colour, only=found.only)
    made.begin()
    return finish(made), found


# ---------------------------------------------------------------- what is found


def test_two_selected_clips_with_a_gap_give_last_and_first_frame() -> None:
    resolve = make_resolve(Quirks(has_selection=True, none_in_lists=True))
    timeline_of(resolve)._selected = list(reversed(shots.two_clips(resolve)))
    mark(resolve, 2, 5)
    host = Host(resolve)
    found = look(host)
    assert [(each.source, frames_of(host, each)) for each in found] == [
        (Source.FILL, [9, 16]), (Source.MARKERS, [2, 5])
    ]  # fmt: skip
    assert found[0].title == "Fill gap between “A.mov” and “B.mov”"


@pytest.mark.parametrize(
    ("second", "playhead", "wanted"),
    [
        ((16, 14), 10, ("fill", [9, 16])),
        ((16, 14), 15, ("fill", [9, 16])),
        ((16, 14), 9, None),
        ((16, 14), 16, None),
        ((10, 14), 10, ("bridge", [5, 14])),
        ((10, 14), 9, ("bridge", [5, 14])),
        ((10, 14), 11, None),
    ],
)
def test_the_playhead_on_a_cut_or_in_a_gap(
    second: tuple[int, int], playhead: int, wanted: tuple[str, list[int]] | None
) -> None:
    resolve = make_resolve()
    shots.two_clips(resolve, second=second)
    host = Host(resolve)
    host.seek(host.start + playhead)
    found = [(each.source.value, frames_of(host, each)) for each in look(host)]
    assert found == ([] if wanted is None else [wanted])


@pytest.mark.parametrize(
    ("frames", "wanted"), [(1, [9, 11]), (2, [8, 11]), (7, [6, 14]), (8, [5, 14]), (18, [0, 19]), (999, [0, 20])]
)
def test_a_bridge_is_centred_and_stays_within_its_clips(frames: int, wanted: list[int]) -> None:
    resolve = make_resolve()
    shots.two_clips(resolve, second=(10, 14))
    host = Host(resolve)
    host.seek(host.start + 10)
    [found] = look(host, frames)
    assert frames_of(host, found) == wanted
    assert frames_of(host, found.bridged(host, frames)) == wanted


@pytest.mark.parametrize(("selected", "sentence"), [(1, "One clip is selected"), (3, "3 clips are selected")])
def test_another_number_of_clips_is_said(selected: int, sentence: str) -> None:
    resolve = make_resolve(Quirks(has_selection=True))
    timeline_of(resolve)._selected = (shots.two_clips(resolve) + shots.two_clips(resolve, (0, 5), (6, 2)))[:selected]
    with pytest.raises(PluginError, match=sentence):
        best(Host(resolve))


def test_markers_on_clips_are_told_from_markers_on_the_timeline() -> None:
    resolve = make_resolve()
    for frame in (4, 12):
        timeline_of(resolve)._tracks[0].items[0].AddMarker(frame, "Blue", "", "", 1)
    with pytest.raises(PluginError, match="2 markers lie on clips; only markers on the timeline's ruler") as caught:
        best(Host(resolve))
    assert "Deselect all clips" in caught.value.remedy


@pytest.mark.parametrize("frame", [40, 41])
def test_a_marker_at_or_past_the_end_is_refused(frame: int, client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, frame)
    with pytest.raises(PluginError, match="which end before 01:00:01:16"):
        make(resolve, client, films)


def test_what_would_make_very_many_frames_is_not_the_first_choice() -> None:
    resolve = make_resolve(frames=30000)
    timeline_of(resolve).SetMarkInOut(0, 28799)
    mark(resolve, 0, 1797)
    mark(resolve, 4, 12, colour="Red")
    host = Host(resolve)
    timeline_of(resolve).ClearMarkInOut()
    assert [each.title for each in look(host)] == ["Between markers: Red (2)", "Between markers: Blue (2)"]


# ---------------------------------------------------------------- what is made


def test_a_gap_is_filled(client: Client, films: Path) -> None:
    resolve = make_resolve()
    shots.two_clips(resolve)
    timeline_of(resolve).SetCurrentTimecode("01:00:00:12")
    before = view(resolve)
    made, _ = make(resolve, client, films)
    assert made.stage is Stage.DONE, made.error or made.question
    assert layout(resolve) == {"Video 1": [(0, 10), (16, 14)], "In-betweens": [(10, 6)]}
    assert (shown(resolve, 9) == drawn(9)).all()
    assert (shown(resolve, 16) == drawn(16)).all()
    for number, path in enumerate(sorted(made.folder.glob("*.tif"))):
        assert (shown(resolve, 10 + number) == read(path)).all()
    assert view(resolve) == before


@pytest.mark.parametrize("inserts", [True, False])
def test_a_cut_is_bridged_below_a_title_that_stays_out_of_it(client: Client, films: Path, inserts: bool) -> None:
    resolve = make_resolve(Quirks(inserts_tracks=inserts))
    shots.two_clips(resolve, second=(10, 14))
    shots.title(resolve, 0, 30)
    timeline_of(resolve).SetCurrentTimecode("01:00:00:10")
    made, found = make(resolve, client, films)
    assert made.stage is Stage.DONE, made.error or made.question
    names = [track.name for track in timeline_of(resolve)._tracks]
    assert names == (["Video 1", "In-betweens", "Titles"] if inserts else ["Video 1", "Titles", "In-betweens"])
    assert layout(resolve) == {"Video 1": [(0, 10), (10, 14)], "In-betweens": [(6, 8)], "Titles": [(0, 30)]}
    assert all(track.enabled for track in timeline_of(resolve)._tracks)
    first = read(sorted(made.folder.glob("*.tif"))[0])
    assert not (first[42:48, 20:76] == 65535).all()
    assert cautions(Host(resolve), found.keyframes, alone=True) == ()
    if not inserts:
        assert any(note.startswith("“Titles” on V2 lies below the in-betweens now") for note in made.result.notes)


def test_a_track_that_does_not_go_off_is_said_and_nothing_is_made(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(tracks_stay_on=True))
    shots.two_clips(resolve)
    shots.title(resolve, 0, 30)
    timeline_of(resolve).SetCurrentTimecode("01:00:00:12")
    before = layout(resolve)
    with pytest.raises(PluginError, match="did not switch off track V2"):
        make(resolve, client, films)
    assert layout(resolve) == before
    assert not films.exists() or not list(films.iterdir())


def test_an_empty_track_of_the_users_is_never_taken_for_the_new_one(client: Client, films: Path) -> None:
    resolve = make_resolve()
    shots.two_clips(resolve)
    for name in ("Empty", "Empty", "Mine"):
        shots.title(resolve, 0, 30, track=name)
        timeline_of(resolve)._tracks[-1].items.clear()
    timeline_of(resolve).SetCurrentTimecode("01:00:00:12")
    made, _ = make(resolve, client, films)
    assert [track.name for track in timeline_of(resolve)._tracks] == [
        "Video 1", "In-betweens", "Empty", "Empty", "Mine"
    ]  # fmt: skip
    assert made.result.track == 2


def test_tracks_that_were_off_stay_off(client: Client, films: Path) -> None:
    resolve = make_resolve()
    shots.two_clips(resolve)
    shots.title(resolve, 0, 30, track="One")
    shots.title(resolve, 0, 30, track="Two")
    timeline_of(resolve)._tracks[1].enabled = False
    timeline_of(resolve).SetCurrentTimecode("01:00:00:12")
    make(resolve, client, films)
    enabled = {track.name: track.enabled for track in timeline_of(resolve)._tracks}
    assert enabled == {"Video 1": True, "In-betweens": True, "One": False, "Two": True}


# ---------------------------------------------------------------- what is said before


def said_before(resolve: Any) -> str:
    host = Host(resolve)
    return "\n".join(cautions(host, best(host).keyframes, alone=False))


def test_a_plain_timeline_needs_no_word() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    assert said_before(resolve) == ""


def test_an_output_lut_is_said() -> None:
    resolve = make_resolve(Quirks(output_lut="Film look.cube"))
    mark(resolve, 4, 12)
    assert "an output LUT (Film look.cube), which in-betweens would get twice" in said_before(resolve)


def test_a_title_above_a_keyframe_is_named() -> None:
    resolve = make_resolve()
    shots.title(resolve, 10, 30)
    mark(resolve, 4, 12)
    assert said_before(resolve) == (
        "The title or generator “Lower third” on V2 lies above at 01:00:00:12 and will be in the in-betweens: "
        "switch V2 off to leave it out."
    )


def test_a_transition_over_a_keyframe_is_named() -> None:
    resolve = make_resolve()
    shots.two_clips(resolve, second=(10, 14))
    timeline_of(resolve)._transitions = [(10, 4, 4)]
    mark(resolve, 5, 6)
    assert said_before(resolve).startswith("A transition lies over 01:00:00:06: both clips are mixed there")
    assert "01:00:00:05" not in said_before(resolve)


@pytest.mark.parametrize("exported", [None, [], {}, {"tracks": {"children": [{"kind": "Video", "children": [{}]}]}}])
def test_an_export_of_another_form_tells_of_no_transition(exported: Any) -> None:
    assert transitions(exported, 0) == []


def test_a_black_keyframe_is_said() -> None:
    resolve = make_resolve()
    shots.two_clips(resolve)
    mark(resolve, 4, 12)
    assert said_before(resolve) == "There is no clip at 01:00:00:12: that keyframe is black."
