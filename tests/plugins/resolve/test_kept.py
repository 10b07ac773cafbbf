"""In and Out, render settings, presets, page and tracks are the user's: as before afterwards, or it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve
from resolve_shots import draft, finish, found, layout, mark, succeed, timeline_of, view
from tweenbridge import Client
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.flow import Run, Stage

PRESET = "Tweenbridge, your settings before"


def project_of(resolve: Any) -> Any:
    return resolve._manager._project


def state(resolve: Any) -> tuple[Any, ...]:
    """All that a render might change."""
    project = project_of(resolve)
    marks = {kind: dict(marks) for kind, marks in timeline_of(resolve)._marks.items()}
    return view(resolve), {**project._render}, dict(project._presets), dict(project._jobs), marks


def attempt(resolve: Any, client: Client, films: Path) -> tuple[Run | None, str]:
    """A run to its end, and all that it says."""
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films), colour="Blue")
    try:
        made.begin()
    except PluginError as error:
        return None, f"{error} {error.remedy} {' '.join(host.not_restored)}"
    finish(made)
    said = [*(made.error or ()), *(made.result.notes if made.result else ())]
    return made, " ".join(said)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("marks", [{}, {"all": (2, 30)}, {"video": (0, 39)}, {"video": (0, 39), "audio": (5, 6)}])
@pytest.mark.parametrize("deliver_only", [False, True])
def test_a_render_leaves_no_trace(
    fails: bool, marks: dict[str, Any], deliver_only: bool, client: Client, films: Path
) -> None:
    resolve = make_resolve(Quirks(has_stills=False, render_fails=fails, renders_on_deliver_only=deliver_only))
    mark(resolve, 4, 12)
    for kind, (first, last) in marks.items():
        timeline_of(resolve).SetMarkInOut(first, last, kind)
    resolve.OpenPage("color")
    before = state(resolve)
    made, said = attempt(resolve, client, films)
    assert state(resolve) == before
    assert (made is None) == fails, said
    assert ("The Fusion composition could not be processed" in said) == fails
    assert "did not come back" not in said


def test_where_settings_cannot_be_kept_nothing_is_rendered(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(has_stills=False, presets_refused=True))
    mark(resolve, 4, 12)
    timeline_of(resolve).SetMarkInOut(2, 30)
    before = state(resolve)
    made, said = attempt(resolve, client, films)
    assert made is None
    assert state(resolve) == before
    assert "that would change your settings on the Deliver page, which cannot be kept" in said


def test_where_only_one_of_in_and_out_is_set_nothing_is_rendered(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(has_stills=False))
    mark(resolve, 4, 12)
    timeline_of(resolve)._marks = {"video": {"in": 3}}
    before = state(resolve)
    made, said = attempt(resolve, client, films)
    assert made is None
    assert state(resolve) == before
    assert "would take away your In or Out point" in said


def test_settings_that_do_not_come_back_are_said_and_can_be_had(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(has_stills=False, preset_sticks=True))
    mark(resolve, 4, 12)
    before = {**project_of(resolve)._render}
    made, said = attempt(resolve, client, films)
    assert made is not None
    assert f"load the preset “{PRESET}”" in said
    assert project_of(resolve)._presets[PRESET]["settings"] == before["settings"]


def test_the_users_own_render_jobs_stay(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(has_stills=False))
    mark(resolve, 4, 12)
    job = project_of(resolve).AddRenderJob()
    before = state(resolve)
    assert attempt(resolve, client, films)[0] is not None
    assert state(resolve) == before
    assert list(project_of(resolve)._jobs) == [job]


# ---------------------------------------------------------------- a call that does nothing once

CALLS = (
    "AddRenderJob", "AddSubFolder", "AddTrack", "AppendToTimeline", "ExportCurrentFrameAsStill", "GetClipProperty",
    "GetCurrentPage", "GetCurrentProject", "GetCurrentTimecode", "GetCurrentTimeline", "GetItemListInTrack",
    "GetMediaPool", "GetMediaPoolItem", "GetMarkers", "GetMarkInOut", "GetProductName", "GetProjectManager",
    "GetRootFolder", "GetStartFrame", "GetStartTimecode", "GetSubFolderList", "GetTrackCount", "GetTrackName",
    "GetUniqueId", "ImportMedia", "OpenPage", "SetClipProperty", "SetCurrentFolder", "SetCurrentTimecode",
    "SetTrackName", "SetThirdPartyMetadata", "SaveAsNewRenderPreset", "LoadRenderPreset", "SetRenderSettings",
    "SetCurrentRenderFormatAndCodec", "StartRendering", "DeleteRenderJob", "GetRenderJobStatus", "GetRenderCodecs",
    "GetCurrentRenderFormatAndCodec", "SetCurrentTimeline", "GetCurrentFolder", "GetClipList", "GetLeftOffset",
)  # fmt: skip
"""What a run calls."""


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_does_nothing_once_costs_nothing(call: str, client: Client, films: Path) -> None:
    """Its first, its second and a later call: in-betweens are where they belong, or nothing was placed."""
    for at, answer in ((1, None), (2, False), (5, False)):
        resolve = make_resolve(Quirks(has_stills=at != 5, fails={call: (at,)}, fails_with=answer))
        timeline = timeline_of(resolve)
        for frame in (4, 12):
            timeline._markers[float(frame)] = {"color": "Blue", "name": f"K{frame}", "note": "", "customData": ""}
        timeline._set_marks(2, 30)
        timeline._tracks[0].name = "Hero"
        before, calls = state(resolve), resolve._studio.calls
        calls.clear()
        try:
            made, said = attempt(resolve, client, films)
        except PluginError as error:
            made, said = None, str(error)
        assert layout(resolve)["Hero"] == [(0, 40)]
        if made is not None and made.stage is Stage.DONE:
            assert layout(resolve) == {"Hero": [(0, 40)], "In-betweens": [(5, 7)]}, (call, at)
        else:
            assert layout(resolve) == {"Hero": [(0, 40)]}, (call, at, said)
            assert said
        if "did not come back" not in said and "was shown before" not in said and "did not go back" not in said:
            assert state(resolve) == before, (call, at, said)


@pytest.mark.parametrize("call", ["DeleteClips", "DeleteTrack", "GetTrackCount", "GetItemListInTrack"])
def test_what_was_placed_wrongly_is_taken_away_at_the_second_try(call: str, client: Client, films: Path) -> None:
    for at, answer in ((1, None), (2, False), (3, None)):
        resolve = make_resolve(Quirks(misplaces=1, fails={call: (at,)}, fails_with=answer))
        mark(resolve, 4, 12)
        tracks = layout(resolve)
        made, said = attempt(resolve, client, films)
        assert layout(resolve) == tracks
        assert made is None or made.stage is Stage.FAILED
        assert made is None or "The timeline is as it was." in said


def test_an_empty_track_that_stays_is_said(client: Client, films: Path) -> None:
    resolve = make_resolve(Quirks(misplaces=1, fails={"DeleteTrack": range(1, 99)}))
    mark(resolve, 4, 12)
    _, said = attempt(resolve, client, films)
    assert "An empty track, V2, could not be deleted again." in said
    assert "as it was" not in said


def test_a_playhead_that_does_not_go_back_is_said(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films)
    timeline = timeline_of(resolve)
    timeline.SetCurrentTimecode("01:00:00:20")
    host, _ = found(resolve)
    with host.view_kept():
        host.seek(host.start + 4)
        timeline._stuck = 10**6
    assert host.not_restored == ["The playhead was at 01:00:00:20 and did not go back there."]
