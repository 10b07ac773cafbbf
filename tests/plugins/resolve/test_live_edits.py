"""The timeline is edited while frames are made: in-betweens land where their keyframes are by then, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import Quirks, edits, make_resolve
from resolve_shots import draft, drawn, finish, found, layout, mark, read, shown, timeline_of, view
from tweenbridge import Client
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.words import progress, summary

Edit = Callable[[Any], object]


def started(resolve: Any, client: Client, films: Path, *frames: int) -> Run:
    mark(resolve, *(frames or (4, 12)))
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films), colour="Blue")
    made.begin()
    return made


def clip_of(resolve: Any) -> Any:
    return timeline_of(resolve)._tracks[0].items[0]


def check_gap(resolve: Any, made: Run, first: int) -> None:
    """From `first` on: keyframe 4's own picture, seven in-betweens in order, keyframe 12's own picture."""
    files = sorted(made.folder.glob("*.tif"))
    assert (shown(resolve, first) == drawn(4)).all()
    for number, path in enumerate(files, start=1):
        assert (shown(resolve, first + number) == read(path)).all(), number
    assert (shown(resolve, first + 8) == drawn(12)).all()


FOLLOWED = {
    "a clip is inserted before": (lambda r: edits.insert_before_all(r, 10), 14, "moved by 10 frames"),
    "with ripple of markers": (lambda r: edits.insert_before_all(r, 10, markers=True), 14, "moved by 10 frames"),
    "another start timecode": (lambda r: timeline_of(r).SetStartTimecode("02:00:00:00"), 4, ""),
    "the head is trimmed": (lambda r: edits.trim_head(clip_of(r), 3), 4, ""),
    "the tail is trimmed": (lambda r: edits.trim_tail(clip_of(r), 20), 4, ""),
    "the clip is renamed": (lambda r: setattr(clip_of(r)._media, "_name", "other.mov"), 4, ""),
    "a track below is locked": (lambda r: timeline_of(r).SetTrackLock("video", 1, True), 4, ""),
    "a marker elsewhere": (lambda r: timeline_of(r).AddMarker(30, "Blue", "note", "", 1), 4, ""),
    "another page": (lambda r: r.OpenPage("color"), 4, ""),
}


@pytest.mark.parametrize(("edit", "first", "note"), FOLLOWED.values(), ids=FOLLOWED)
def test_what_moved_as_a_whole_is_followed(edit: Edit, first: int, note: str, client: Client, films: Path) -> None:
    resolve = make_resolve()
    made = started(resolve, client, films)
    edit(resolve)
    before = view(resolve)
    finish(made)
    assert made.stage is Stage.DONE, made.question or made.error
    check_gap(resolve, made, first)
    assert view(resolve) == before
    assert note in " ".join(made.result.notes)
    assert bool(note) == bool(made.result.notes)


CHANGED = {
    "the clip is slipped": (lambda r: edits.slip(clip_of(r), 5), "“hop.mov” was moved, trimmed, replaced or deleted"),
    "the clip is slipped a little": (lambda r: edits.slip(clip_of(r), 1), "“hop.mov” was moved, trimmed"),
    "the clip is deleted": (lambda r: timeline_of(r)._tracks[0].items.clear(), "“hop.mov” was moved, trimmed"),
    "the tail is trimmed into the gap": (lambda r: edits.trim_tail(clip_of(r), 30), "“hop.mov” was moved, trimmed"),
    "the clip is cut in the gap": (
        lambda r: edits.split(timeline_of(r), timeline_of(r)._tracks[0], clip_of(r), 8), "“hop.mov” was moved"
    ),
    "a marker is moved": (
        lambda r: (timeline_of(r).DeleteMarkerAtFrame(12.0), timeline_of(r).AddMarker(13, "Blue", "", "", 1)),
        "The markers were moved or deleted",
    ),
    "markers are deleted": (lambda r: timeline_of(r).DeleteMarkersByColor("All"), "The markers were moved or deleted"),
    "the clip is graded": (lambda r: edits.grade(clip_of(r), 4000), "The picture at K4 01:00:00:04 and K12"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "sentence"), CHANGED.values(), ids=CHANGED)
@pytest.mark.parametrize("place", [True, False])
def test_anything_else_is_asked(edit: Edit, sentence: str, place: bool, client: Client, films: Path) -> None:
    resolve = make_resolve()
    made = started(resolve, client, films)
    edit(resolve)
    before, tracks = view(resolve), layout(resolve)
    while made.stage is Stage.GENERATING:
        made.step(0.05)
    assert made.stage is Stage.ASKING, made.error
    assert sentence in made.question
    assert "Place them anyway, or keep only the frames" in progress(made)
    assert (view(resolve), layout(resolve)) == (before, tracks)
    made.answer(place)
    assert view(resolve) == before
    if place:
        assert made.stage is Stage.DONE
        assert layout(resolve) == {**tracks, "In-betweens": [(5, 7)]}
    else:
        assert made.stage is Stage.KEPT
        assert layout(resolve) == tracks
        assert summary(made) == f"Nothing was placed. The frames are in {made.folder}."
    assert len(list(made.folder.glob("*.tif"))) == 7


def test_the_timelines_rate_is_changed_meanwhile(client: Client, films: Path) -> None:
    resolve = make_resolve()
    made = started(resolve, client, films)
    timeline_of(resolve)._rate = "25"
    timeline_of(resolve)._start = timeline_of(resolve)._frames("01:00:00:00")
    before, tracks = view(resolve), layout(resolve)
    finish(made)
    assert made.stage is Stage.FAILED
    assert made.error[0] == "The timeline runs at 25 frames per second now, and the in-betweens were made for 24."
    assert f"The frames are in {made.folder}." in made.error[1]
    assert (view(resolve), layout(resolve)) == (before, tracks)


def test_the_timeline_is_deleted_meanwhile(client: Client, films: Path) -> None:
    resolve = make_resolve()
    made = started(resolve, client, films)
    pool = resolve.GetProjectManager().GetCurrentProject().GetMediaPool()
    other, gone = pool.CreateEmptyTimeline("Other"), timeline_of(resolve)
    pool.DeleteTimelines([next(t for t in resolve._manager._project._timelines if t is not other)])
    assert gone is not None
    finish(made)
    assert made.stage is Stage.FAILED
    assert made.error[0] == "The timeline is not there any more."
    assert len(list(made.folder.glob("*_take*.tif"))) == 7
    assert timeline_of(resolve) is other


def test_an_earlier_take_is_no_change(client: Client, films: Path) -> None:
    resolve = make_resolve()
    finish(started(resolve, client, films))
    timeline_of(resolve).DeleteMarkersByColor("All")
    made = started(resolve, client, films)
    timeline_of(resolve).SetTrackName("video", 2, "my favourite")
    finish(made)
    assert made.stage is Stage.DONE
    assert made.result.take == 1  # nobody's track is called a take any more
    check_gap(resolve, made, 4)


# ---------------------------------------------------------------- editing a take that has moved


def moved_take(resolve: Any, client: Client, films: Path, edit: Edit) -> list[int]:
    """Make in-betweens, edit the timeline, and see where the take's keyframes are found."""
    from tweenbridge_resolve.finding import best
    from tweenbridge_resolve.host import Host

    finish(started(resolve, client, films, 4, 12, 20))
    edit(resolve)
    host = Host(resolve)
    take = sorted(timeline_of(resolve)._tracks[-1].items, key=lambda item: item._start)[0]
    host.seek(take._start + 1)
    again = best(host, edit=True)
    assert all(host.text(keyframe.frame) in keyframe.label for keyframe in again.keyframes)
    made = Run(host, client, again.keyframes, again.choice)
    made.begin()
    assert finish(made).stage is Stage.DONE
    return [keyframe.frame - host.start for keyframe in again.keyframes]


@pytest.mark.parametrize(
    ("edit", "keyframes"),
    [
        (lambda r: edits.insert_before_all(r, 10), [14, 22, 30]),
        (lambda r: timeline_of(r).SetStartTimecode("02:00:00:00"), [4, 12, 20]),
        (lambda r: edits.trim_head(timeline_of(r)._tracks[1].items[0], 2), [4, 12, 20]),
        (lambda r: edits.ripple(timeline_of(r), 13, 4), [4, 12]),
    ],
    ids=["ripple", "start timecode", "trimmed", "only the second gap has moved"],
)
def test_a_take_is_edited_where_its_clip_lies_now(
    edit: Edit, keyframes: list[int], client: Client, films: Path
) -> None:
    resolve = make_resolve()
    assert moved_take(resolve, client, films, edit) == keyframes
    first = keyframes[0]
    assert (shown(resolve, first) == drawn(4)).all()
    assert np.any(shown(resolve, first + 1) != drawn(5))
    assert (shown(resolve, first + 8) == drawn(12)).all()


def test_a_languages_words_and_commas_are_no_matter(client: Client, films: Path) -> None:
    for language in ("pt", "de"):
        resolve = make_resolve(Quirks(language=language, has_stills=False), rate="23.976")
        made = started(resolve, client, films)
        finish(made)
        assert made.stage is Stage.DONE, made.error
        check_gap(resolve, made, 4)
