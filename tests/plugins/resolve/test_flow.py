"""Whole runs with the real server: every frame of the timeline shows what it should, and nothing else has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes.resolve import Quirks, make_resolve
from resolve_shots import (
    as_pixels,
    check_every_frame,
    draft,
    drawn,
    found,
    layout,
    mark,
    read,
    run,
    shown,
    succeed,
    timeline_of,
    view,
)
from tweenbridge import Client, ServerAddress, Spacing, Timing
from tweenbridge_resolve import flow
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.flow import Stage
from tweenbridge_resolve.stills import Stills


@pytest.fixture(scope="module")
def usual(studio_home: Path, tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """What a Resolve on a good day shows from keyframe 4 to 12."""
    resolve = make_resolve()
    mark(resolve, 4, 12)
    with Client(studio_home) as client:
        succeed(resolve, client, tmp_path_factory.mktemp("usual"))
    return [shown(resolve, frame) for frame in range(4, 13)]


# ---------------------------------------------------------------- what is made


def test_in_betweens_fill_the_gap_exactly(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": [(5, 7)]}
    check_every_frame(resolve, made)
    # The square moves steadily, so an in-between is close to the frame that was there, and not to its keyframe.
    error = np.abs(shown(resolve, 8).astype(int) - drawn(8).astype(int)).mean()
    assert error < 0.5 * np.abs(drawn(4).astype(int) - drawn(8).astype(int)).mean()
    names = sorted(path.name for path in made.result.folder.iterdir())
    assert names == [f"Shot_12_01000004_take01_{i:04}.tif" for i in range(1, 8)]
    assert not (made.result.folder / "keyframes").exists()


def test_several_keyframes_neighbours_among_them_on_twos(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 2, 9, 10, 16)
    timing = Timing(hold=2, spacing=Spacing.EASE_IN_OUT)
    made = succeed(resolve, client, films, draft(films, timing=timing))
    assert layout(resolve)["In-betweens"] == [(3, 6), (11, 5)]
    check_every_frame(resolve, made, (2, 9, 10, 16))
    assert (shown(resolve, 3) == drawn(2)).all()  # on twos the keyframe is shown for two frames
    assert (shown(resolve, 4) == shown(resolve, 5)).all()
    assert (shown(resolve, 5) != shown(resolve, 6)).any()


def test_fewer_in_betweens_than_frames(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films, draft(films, timing=Timing(count=1)))
    check_every_frame(resolve, made)
    middle = [frame for frame in range(5, 12) if (shown(resolve, frame) != drawn(4)).any()]
    assert middle == [8, 9, 10, 11]


def test_a_gap_of_one_frame(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 6)
    made = succeed(resolve, client, films)
    assert layout(resolve)["In-betweens"] == [(5, 1)]
    assert (shown(resolve, 5) == read(made.result.folder / "Shot_12_01000004_take01_0001.tif")).all()
    assert (shown(resolve, 6) == drawn(6)).all()


def test_a_loop_leads_back_to_the_first_keyframe(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 8)
    succeed(resolve, client, films, draft(films, timing=Timing(loop=True)))
    assert layout(resolve)["In-betweens"] == [(5, 3), (9, 3)]


@pytest.mark.parametrize(
    ("rate", "drop", "start"),
    [
        ("23.976", False, "01:00:00:00"),
        ("25", False, "10:00:00:00"),
        ("29.97", True, "00:59:59;20"),
        ("29.97", False, "00:59:59:20"),
        ("59.94", True, "01:00:59;50"),
        ("60", False, "00:00:00:00"),
    ],
)
def test_at_every_rate_across_a_minute(client: Client, films: Path, rate: str, drop: bool, start: str) -> None:
    resolve = make_resolve(rate=rate, drop=drop, start=start)
    mark(resolve, 4, 14)
    made = succeed(resolve, client, films)
    check_every_frame(resolve, made, (4, 14))


# ---------------------------------------------------------------- hostile

HOSTILE = {
    "endFrame is the last frame": Quirks(exclusive_end=False),
    "an item's end is its last frame": Quirks(item_end_shown=True),
    "items that say nothing": Quirks(broken_items=True),
    "None in lists": Quirks(none_in_lists=True),
    "ghosts": Quirks(overlaps="ghost"),
    "fractions are taken": Quirks(refuses_fractions=False),
    "playhead sticks": Quirks(stuck_playhead=2),
    "one stale still": Quirks(stale_stills=1),
    "stale stills": Quirks(stale_stills=2),
    "stale for long": Quirks(stale_stills=60),
    "no stills": Quirks(has_stills=False),
    "broken stills": Quirks(broken_stills=4),
    "small stills": Quirks(still_scale=2),
    "stale track count": Quirks(stale_track_count=4),
    "stale lists": Quirks(stale_lists=2),
    "rate is a number": Quirks(rate_as_number=True),
    "GetSettings": Quirks(settings_only=True),
    "no metadata": Quirks(keeps_metadata=False),
    "no In and Out": Quirks(mark_in_out=False),
    "all at once": Quirks(
        exclusive_end=False, broken_items=True, none_in_lists=True, overlaps="ghost", stuck_playhead=1, stale_stills=2,
        broken_stills=1, stale_track_count=3, rate_as_number=True, settings_only=True, keeps_metadata=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("quirks", HOSTILE.values(), ids=HOSTILE)
def test_whatever_resolve_does_the_pixels_are_the_same(
    quirks: Quirks, client: Client, films: Path, usual: list[np.ndarray]
) -> None:
    resolve = make_resolve(quirks)
    mark(resolve, 4, 12)
    before = view(resolve)
    made = succeed(resolve, client, films)
    assert view(resolve) == before
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": [(5, 7)]}
    for frame, wanted in enumerate(usual, start=4):
        assert (shown(resolve, frame) == wanted).all(), frame
    assert made.result.notes == ()


def test_equal_keyframes_are_told_from_a_stale_still(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(stale_stills=1))
    timeline = timeline_of(resolve)
    held = timeline._tracks[0].items[0]
    held._media._kept.update({frame: as_pixels(held._media._picture(4)).ravel() for frame in range(4, 13)})
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    assert all((shown(resolve, frame) == drawn(4)).all() for frame in range(4, 13))
    assert made.result.notes  # the server says that it had nothing to do but copy


def test_all_keyframes_of_a_run_are_rendered_where_one_has_to_be(films: Path) -> None:
    resolve = make_resolve(Quirks(stale_stills=60))
    mark(resolve, 0, 4, 12)
    host, marked = found(resolve)
    with host.view_kept():
        stills = Stills(host, films)
        files = stills.take_all(marked)
    assert sorted(stills.rendered) == [keyframe.frame for keyframe in marked]
    assert [(read(path) == drawn(frame)).all() for path, frame in zip(files, (0, 4, 12))] == [True] * 3


def test_a_sequence_comes_in_at_the_projects_rate(client: Client, films: Path) -> None:
    resolve = make_resolve(rate="25", project_rate="24")
    mark(resolve, 4, 12)
    check_every_frame(resolve, succeed(resolve, client, films))


def test_render_settings_come_back(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(has_stills=False))
    mark(resolve, 4, 12)
    project = resolve.GetProjectManager().GetCurrentProject()
    before = {**project._render}
    project._render = {**before, "settings": {"CustomName": "older"}}
    project.SaveAsNewRenderPreset("Tweenbridge, your settings before")  # as a crash would leave it
    project._render = {**before}
    succeed(resolve, client, films)
    assert project._render == before
    assert project._jobs == {}
    # It holds what a crash would have cost, so it stays.
    assert [preset["settings"] for preset in project._presets.values()] == [{"CustomName": "older"}]


# ---------------------------------------------------------------- what it refuses

REFUSED = {
    "rate stays": (Quirks(rate_locked=True), "stay at 24.0 frames per second; the timeline has 25", True),
    "nothing is imported": (Quirks(import_fails=True), "did not import", True),
    "one clip a frame": (Quirks(individual_frames=True), "imported 7 clips", True),
    "no track": (Quirks(no_new_tracks=True), "did not add a video track", True),
    "elsewhere": (Quirks(misplaces=1), "did not place the in-betweens between K4", True),
    "no picture": (Quirks(has_stills=False, render_fails=True), "could not render the frame at 01:00:00:04", False),
    "playhead": (Quirks(stuck_playhead=10**6), "The playhead did not move to 01:00:00:04", False),
    "start": (Quirks(lies_about_start=2), "Resolve says that this is frame 90002", False),
    "page": (Quirks(edit_page_opens=False), "did not open the Edit page", False),
}


@pytest.mark.parametrize(("quirks", "sentence", "keeps_frames"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(
    quirks: Quirks, sentence: str, keeps_frames: bool, client: Client, films: Path
) -> None:
    resolve = make_resolve(quirks, rate="25", project_rate="24")
    mark(resolve, 4, 12)
    resolve._studio.page = "color"
    before, tracks = view(resolve), layout(resolve)
    try:
        made = run(resolve, client, films)
        assert made.stage is Stage.FAILED
        said, remedy = made.error
    except PluginError as error:
        said, remedy = error.sentence, error.remedy
    assert sentence in said
    assert remedy
    assert layout(resolve) == tracks
    assert view(resolve) == before
    pool = resolve.GetProjectManager().GetCurrentProject().GetMediaPool()
    assert [clip for folder in pool._root._folders for clip in folder._clips] == []
    frames = sorted(films.rglob("*.tif"))
    assert len([path for path in frames if "_take" in path.name]) == (7 if keeps_frames else 0)
    if keeps_frames:
        assert str(frames[0].parent) in remedy
    else:
        assert not films.exists() or not list(films.iterdir())


def test_what_cannot_be_taken_away_again_is_said(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(misplaces=1, keeps_clips=True))
    mark(resolve, 4, 12)
    made = run(resolve, client, films)
    assert made.stage is Stage.FAILED
    assert "did not place the in-betweens between K4" in made.error[0]
    assert made.error[1].startswith("They could not be taken away again from track V2: undo the last steps")
    assert "The timeline is as it was" not in made.error[1]
    pool = resolve.GetProjectManager().GetCurrentProject().GetMediaPool()
    assert len(pool._root._folders[0]._clips) == 1


def test_a_keyframe_past_the_end_is_refused(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 200)
    with pytest.raises(PluginError, match="K200 01:00:08:08 lies outside"):
        run(resolve, client, films)


def test_without_a_server_it_gives_up(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_NO_SERVER", 0.5)
    resolve = make_resolve()
    mark(resolve, 4, 12)
    nowhere = ServerAddress("tcp://127.0.0.1:9", b"x" * 32, 1, 0.0, (1,))
    with Client(address=nowhere) as client:
        made = run(resolve, client, films)
    assert made.stage is Stage.FAILED
    assert "does not answer" in made.error[0]
    assert not films.exists() or not list(films.iterdir())
