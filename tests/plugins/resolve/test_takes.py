"""Runs in a user's day: other timelines meanwhile, cancelling, a server that is killed, and one take after another."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes.real_server import RealServer
from fakes.resolve import Quirks, make_resolve
from resolve_shots import (
    check_every_frame,
    draft,
    finish,
    found,
    layout,
    mark,
    shown,
    succeed,
    timeline_of,
    view,
)
from tweenbridge import Client, Spacing, Timing
from tweenbridge_resolve import media
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.finding import best, look
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.timeline import Source

# ---------------------------------------------------------------- the user meanwhile


def test_cancelling_leaves_nothing_behind(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    before, tracks = view(resolve), layout(resolve)
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films))
    made.begin()
    made.step(0.01)
    made.cancel()
    finish(made)
    assert made.stage is Stage.CANCELLED
    for _ in range(20):
        made.step(0.01)
    assert (view(resolve), layout(resolve)) == (before, tracks)
    assert not list(films.iterdir())


@pytest.mark.parametrize("page", ["media", "edit", "color", "deliver"])
def test_the_view_is_as_it_was(page: str, client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    pool = resolve.GetProjectManager().GetCurrentProject().GetMediaPool()
    pool.SetCurrentFolder(pool.AddSubFolder(pool.GetRootFolder(), "Rushes"))
    timeline_of(resolve).SetCurrentTimecode("01:00:00:20")
    resolve.OpenPage(page)
    before = view(resolve)
    succeed(resolve, client, films)
    assert view(resolve) == before


def test_another_timeline_is_shown_meanwhile(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films))
    made.begin()
    project = resolve.GetProjectManager().GetCurrentProject()
    first, second = timeline_of(resolve), project.GetMediaPool().CreateEmptyTimeline("Titles")
    finish(made)
    assert made.stage is Stage.DONE
    assert project.GetCurrentTimeline() is second
    assert [track.name for track in second._tracks] == ["Video 1"]
    assert [track.name for track in first._tracks] == ["Video 1", "In-betweens"]


def test_a_server_that_is_killed_comes_back_and_the_run_goes_on(tmp_path: Path, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 30)
    with RealServer(tmp_path / "home") as server, Client(tmp_path / "home") as client:
        host, marked = found(resolve)
        made = Run(host, client, marked, draft(films))
        made.begin()
        until = time.monotonic() + 60
        while not list(films.rglob("*_take*.tif")):
            assert time.monotonic() < until
            made.step(0.01)
        server.kill()
        assert made.stage is Stage.GENERATING
        finish(made)
        assert made.stage is Stage.DONE, made.error
        client.stop_server()
    assert layout(resolve)["In-betweens"] == [(5, 25)]
    check_every_frame(resolve, made, (4, 30))


# ---------------------------------------------------------------- takes


def test_a_second_take_lies_above_and_the_first_is_untouched(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    first = succeed(resolve, client, films)
    below = [shown(resolve, frame) for frame in range(4, 13)]
    second = succeed(resolve, client, films, draft(films, timing=Timing(spacing=Spacing.EASE_IN)))
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": [(5, 7)], "In-betweens take 2": [(5, 7)]}
    assert (second.result.take, second.result.name) == (2, "In-betweens take 2")
    assert second.result.folder != first.result.folder
    check_every_frame(resolve, second)
    timeline_of(resolve)._tracks[2].enabled = False
    for frame, wanted in enumerate(below, start=4):
        assert (shown(resolve, frame) == wanted).all()


def test_runs_elsewhere_share_the_track(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films)
    timeline_of(resolve).DeleteMarkersByColor("All")
    mark(resolve, 12, 16)
    succeed(resolve, client, films)
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": [(5, 7), (13, 3)]}


def test_a_locked_track_is_left_alone(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films)
    timeline_of(resolve).SetTrackLock("video", 2, True)
    timeline_of(resolve).DeleteMarkersByColor("All")
    mark(resolve, 12, 16)
    made = succeed(resolve, client, films)
    assert made.result.track == 3
    assert [len(track.items) for track in timeline_of(resolve)._tracks] == [1, 1, 1]


@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_edit_brings_keyframes_and_settings_back(client: Client, films: Path, keeps_metadata: bool) -> None:
    resolve = make_resolve(Quirks(keeps_metadata=keeps_metadata))
    mark(resolve, 4, 12)
    chosen = draft(films, timing=Timing(spacing=Spacing.EASE_OUT, hold=2))
    succeed(resolve, client, films, chosen)
    timeline_of(resolve).DeleteMarkersByColor("All")
    host, _ = found(resolve)
    with pytest.raises(PluginError, match="no in-betweens of Tweenbridge under the playhead"):
        best(host, edit=True)
    host.seek(host.start + 7)
    again = best(host, edit=True)
    assert (again.source, again.choice) == (Source.TAKE, chosen)
    assert [keyframe.frame - host.start for keyframe in again.keyframes] == [4, 12]
    assert look(host) == (again,)
    made = Run(host, client, again.keyframes, again.choice)
    made.begin()
    finish(made)
    assert layout(resolve)["In-betweens take 2"] == [(5, 7)]


def test_a_clip_that_forgets_is_said_so(client: Client, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "read_recipe", lambda item: None)
    resolve = make_resolve()
    mark(resolve, 4, 12)
    made = succeed(resolve, client, films)
    assert "did not store its settings" in made.result.notes[0]
