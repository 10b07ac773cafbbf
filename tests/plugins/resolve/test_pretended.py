"""Calls that say True and do nothing: whatever is said to be done was looked at, and what was not done is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve
from resolve_shots import check_every_frame, draft, finish, found, layout, mark, succeed, timeline_of, view
from tweenbridge import Client
from tweenbridge_resolve import removal, selfcheck
from tweenbridge_resolve.errors import PluginError
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.host import Host

ALWAYS = range(1, 9999)


def pretending(*calls: str, **options: Any) -> Any:
    """A Resolve where a user has set In and Out, and shows a bin and a page of their own."""
    resolve = make_resolve(Quirks(**options))
    mark(resolve, 4, 12)
    timeline_of(resolve)._set_marks(2, 30)
    pool = resolve._manager._project._pool
    pool.SetCurrentFolder(pool.AddSubFolder(pool._root, "Rushes"))
    resolve._manager._project._render["settings"]["TargetDir"] = "/the/users/films"
    resolve._studio.page = "edit"
    resolve._studio.quirks.fails = dict.fromkeys(calls, ALWAYS)
    resolve._studio.quirks.fails_with = True
    return resolve


def state(resolve: Any) -> tuple[Any, ...]:
    """All that is the user's and that a run might change."""
    project = resolve._manager._project
    marks = {kind: dict(marks) for kind, marks in timeline_of(resolve)._marks.items()}
    return view(resolve), {**project._render}, dict(project._presets), dict(project._jobs), marks


def attempt(resolve: Any, client: Client, films: Path) -> tuple[Run | None, str]:
    """A run to its end, and all that it says."""
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films), colour="Blue")
    try:
        made.begin()
    except PluginError as error:
        return None, f"{error} {error.remedy}"
    finish(made)
    return made, " ".join([*(made.error or ()), *(made.result.notes if made.result else ())])


NOTHING_MADE = {
    # What is not there cannot be placed, and the timeline stays as it was.
    "AddTrack": "did not add a video track",
    "SetCurrentTimecode": "The playhead did not move to",
    "SetRenderSettings": "render settings",
    "SetCurrentRenderFormatAndCodec": "could not render the frame",
    "SaveAsNewRenderPreset": "cannot be kept",
    "StartRendering": "could not render the frame",
}


@pytest.mark.parametrize(("call", "sentence"), NOTHING_MADE.items())
def test_what_was_not_done_is_not_built_upon(call: str, sentence: str, client: Client, films: Path) -> None:
    resolve = pretending(call, has_stills=False)
    before, tracks = state(resolve), layout(resolve)
    made, said = attempt(resolve, client, films)
    assert made is None or made.stage is Stage.FAILED
    assert sentence in said
    assert layout(resolve) == tracks
    assert state(resolve) == before
    # Nothing but single frames into a folder of our own was ever rendered.
    assert all(str(films) in each.get("TargetDir", "") for each in resolve._manager._project._rendered)


MADE = {
    "LoadRenderPreset": "Your render settings did not come back",
    "DeleteRenderPreset": "A preset of Tweenbridge’s is left on the Deliver page",
    "DeleteRenderJob": "A job of Tweenbridge is left in the Render Queue: delete it.",
    "SetMarkInOut": "In and Out did not come back",
    "SetCurrentFolder": "",
    "SetThirdPartyMetadata": "",
    "SetClipColor": "",
    "SetTrackName": "",
}


@pytest.mark.parametrize(("call", "sentence"), MADE.items())
def test_in_betweens_are_there_and_what_did_not_come_back_is_told(
    call: str, sentence: str, client: Client, films: Path
) -> None:
    resolve = pretending(call, has_stills=False)
    before = state(resolve)
    made, said = attempt(resolve, client, films)
    assert made is not None
    assert made.stage is Stage.DONE, said
    check_every_frame(resolve, made)
    track = timeline_of(resolve)._tracks[made.result.track - 1]
    assert (made.result.name, len(track.items)) == (track.name, 1)
    assert sentence in said
    assert state(resolve) == before or said


def test_in_and_out_that_were_not_set_and_are_now_are_told(client: Client, films: Path) -> None:
    resolve = pretending("ClearMarkInOut", has_stills=False)
    timeline_of(resolve)._marks.clear()
    _, said = attempt(resolve, client, films)
    assert "In and Out are set now and were not before: clear them (Option or Alt+X)." in said


def test_a_clip_that_lies_in_another_bin_is_told(client: Client, films: Path) -> None:
    resolve = pretending()
    pool = resolve._manager._project._pool
    pool.AddSubFolder(pool._root, "Tweenbridge")
    pool.SetCurrentFolder(pool._root._folders[0])
    resolve._studio.quirks.fails = {"SetCurrentFolder": ALWAYS}
    made, said = attempt(resolve, client, films)
    assert made is not None
    assert "The clip is in the bin “Rushes”, not in “Tweenbridge”." in said


def test_a_preset_that_did_not_come_back_stays(client: Client, films: Path) -> None:
    resolve = pretending("LoadRenderPreset", has_stills=False)
    settings = {**resolve._manager._project._render}
    attempt(resolve, client, films)
    assert [preset["settings"] for preset in resolve._manager._project._presets.values()] == [settings["settings"]]


# ---------------------------------------------------------------- the other things that are said to be done


def taken(resolve: Any, client: Client, films: Path) -> tuple[Host, removal.Removable]:
    """In-betweens, and the playhead on them."""
    succeed(resolve, client, films)
    timeline_of(resolve).SetCurrentTimecode("01:00:00:08")
    host = Host(resolve)
    what = removal.removable(host)
    assert what is not None
    return host, what


def test_a_take_whose_clip_stays_on_the_timeline_is_not_removed(client: Client, films: Path) -> None:
    resolve = pretending()
    host, what = taken(resolve, client, films)
    resolve._studio.quirks.keeps_clips = True
    with pytest.raises(PluginError, match="did not delete"):
        removal.remove(host, what, with_files=True)
    assert len(layout(resolve)["In-betweens"]) == 1
    assert len(list(films.rglob("*.tif"))) == 7


def test_a_take_whose_clip_stays_in_the_media_pool_keeps_its_files(client: Client, films: Path) -> None:
    resolve = pretending()
    host, what = taken(resolve, client, films)
    resolve._studio.quirks.keeps_media = True
    said = removal.remove(host, what, with_files=True)
    assert "is removed" not in said
    assert "is still in the bin “Tweenbridge”" in said
    assert layout(resolve)["In-betweens"] == []
    assert len(list(films.rglob("*.tif"))) == 7


def test_a_view_that_does_not_come_back_is_told_with_the_removal(client: Client, films: Path) -> None:
    resolve = pretending()
    host, what = taken(resolve, client, films)
    resolve._studio.page = "color"
    resolve._studio.calls.clear()
    resolve._studio.quirks.fails = {"OpenPage": range(2, 99)}
    said = removal.remove(host, what, with_files=False)
    assert "is removed" in said
    assert "The Color page was shown before: open it again." in said


def test_files_that_cannot_be_deleted_are_told(client: Client, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = pretending()
    host, what = taken(resolve, client, films)

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError("open elsewhere")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert "7 files could not be deleted" in removal.remove(host, what, with_files=True)


def test_frames_that_are_gone_are_not_placed(client: Client, films: Path) -> None:
    resolve = pretending()
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films), colour="Blue")
    made.begin()
    tracks = layout(resolve)
    while made.stage is Stage.GENERATING:
        made.step(0.05)
        for path in list(made.folder.glob("*_take01_0003.tif")):
            path.unlink()
    assert made.stage is Stage.FAILED
    assert made.error[0] == f"1 of 7 frames is missing in {made.folder}."
    assert layout(resolve) == tracks


def test_a_self_check_that_leaves_its_timeline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck.Checks, "all", lambda self: ())
    resolve, said = make_resolve(Quirks(keeps_timelines=True)), []
    assert selfcheck.run(resolve, said.append) == 1
    assert "FAIL  Scratch timeline: The timeline “Tweenbridge self-check” could not be deleted again." in "\n".join(
        said
    )
