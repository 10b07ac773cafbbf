"""What the window asks and tells: edits in mid-run, markers that were not shown, takes to remove, a second window."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
import pytest
from fakes.resolve import edits, make_resolve, shots
from fakes.resolve.windows import Bmd, Fusion
from resolve_shots import layout, mark, shown, succeed, timeline_of
from resolve_window import User, choose, close_box, press, see, show, until
from tweenbridge import Client, Timing
from tweenbridge_resolve import app, dialog
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.lock import Lock
from tweenbridge_resolve.watch import SENTENCE, Watch
from tweenbridge_resolve.words import NO_ALPHA

pytestmark = pytest.mark.usefixtures("home")


# ---------------------------------------------------------------- questions


def test_a_change_on_the_timeline_is_asked_in_the_window(films: Path) -> None:
    for press_what, tracks in (("Generate", {"In-betweens": [(5, 7)]}), ("Cancel", {})):
        resolve, seen = make_resolve(), []
        mark(resolve, 4, 12)
        clip = timeline_of(resolve)._tracks[0].items[0]
        status, _, _ = show(
            resolve, press("Generate"), lambda w, i: i["Cancel"].Text == "Cancel",
            lambda w, i, clip=clip: edits.slip(clip, 5), until("was moved, trimmed, replaced or deleted"),
            see(seen, "Generate", "Text"), see(seen, "Cancel", "Text"), press(press_what),
            lambda w, i: i["Cancel"].Text == "Close", see(seen, "Generate", "Text"),
        )  # fmt: skip
        assert seen == ["Place anyway", "Keep frames", "Generate in-betweens"]
        assert layout(resolve) == {"Video 1": [(0, 40)], **tracks}
        assert status == 0


def test_closing_the_window_at_the_question_keeps_the_frames_and_says_so(films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    clip = timeline_of(resolve)._tracks[0].items[0]
    _, _, said = show(
        resolve, press("Generate"), lambda w, i: i["Cancel"].Text == "Cancel",
        lambda w, i: edits.slip(clip, 5), until("was moved, trimmed, replaced or deleted"), close_box,
    )  # fmt: skip
    assert said[-1].startswith("Tweenbridge: Nothing was placed. The frames are in ")
    assert layout(resolve) == {"Video 1": [(0, 40)]}
    assert len(list(films.rglob("*_take*.tif"))) == 7


def test_very_many_in_betweens_are_asked_about() -> None:
    resolve, seen = make_resolve(frames=28800), []
    timeline_of(resolve).SetMarkInOut(0, 28799)
    show(
        resolve, see(seen, "Found", "PlainText"), press("Generate"), until("Is that what you want?"),
        see(seen, "Generate", "Text"), press("Cancel"), see(seen, "Generate", "Text"), see(seen, "Status", "Text"),
    )  # fmt: skip
    assert "28,798 in-betweens (20 min of the timeline), up to 896 MB on disk" in seen[0]
    assert seen[1:] == ["Make 28,798 in-betweens", "Generate in-betweens", ""]
    assert layout(resolve) == {"Video 1": [(0, 28800)]}


def test_markers_that_were_not_shown_are_not_taken() -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)

    def edit(window: Any, items: Any) -> None:
        mark(resolve, 20)

    show(
        resolve, edit, press("Generate"), until("has changed, so this list was made again"),
        see(seen, "Found", "PlainText"), press("Generate"), until("are on track"),
    )  # fmt: skip
    assert "K20" in seen[0]
    assert layout(resolve)["In-betweens"] == [(5, 7), (13, 7)]


def test_a_timeline_that_was_opened_since_is_not_taken_unseen() -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)

    def open_another(window: Any, items: Any) -> None:
        resolve._manager._project._pool.CreateEmptyTimeline("Shot 13")

    show(
        resolve, open_another, press("Generate"), until("has changed, so this list was made again"),
        see(seen, "Found", "PlainText"),
    )  # fmt: skip
    assert seen[0].startswith("The timeline has no keyframes yet.")


def test_a_pair_stays_chosen_when_the_playhead_goes_on() -> None:
    resolve = make_resolve()
    shots.two_clips(resolve)
    timeline_of(resolve)._playhead = timeline_of(resolve)._start + 12

    def scrub(window: Any, items: Any) -> None:
        timeline_of(resolve)._playhead = timeline_of(resolve)._start + 25

    show(resolve, scrub, press("Generate"), until("are on track"))
    assert layout(resolve)["In-betweens"] == [(10, 6)]


def test_how_long_it_takes_is_told_from_the_last_run() -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    show(resolve, choose("Profile0", "Draft"), press("Generate"), until("are on track"))
    show(resolve, see(seen, "Found", "PlainText"))
    assert "at the speed of your last run" in seen[0]


def test_the_middle_frame_is_shown() -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    show(
        resolve, see(seen, "Preview", "Hidden"), press("Generate"), until("are on track"),
        see(seen, "Preview", "Hidden"), see(seen, "Preview", "Icon"),
    )  # fmt: skip
    assert seen[:2] == [True, False]
    picture = oiio.ImageBuf(seen[2]["File"]).get_pixels(oiio.UINT8)
    assert picture.shape == (54, 96, 3)
    assert abs(picture.astype(int) - (shown(resolve, 8) >> 8).astype(int)).max() <= 1


def test_the_folder_is_picked_in_resolves_own_window(films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    show(
        resolve, press("Browse"), lambda w, i: "elsewhere" in i["Folder"].Text, press("Generate"),
        until("are on track"), see(seen, "Status", "Text"), picked=str(films / "elsewhere"),
    )  # fmt: skip
    assert len(list((films / "elsewhere").rglob("*_take*.tif"))) == 7


@pytest.mark.parametrize("with_files", [True, False])
def test_a_take_is_removed_after_asking(with_files: bool, client: Client, films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    succeed(resolve, client, films, Choice("flow", "draft", Timing(), {}, str(films)))
    timeline_of(resolve).SetCurrentTimecode("01:00:00:08")
    show(
        resolve, see(seen, "Remove", "Enabled"), choose("Source", "Edit in-betweens under the playhead (take 1)"),
        lambda w, i: i["Remove"].Enabled, press("Remove"), until("deleted as well"), see(seen, "Status", "Text"),
        see(seen, "Cancel", "Text"), press("Generate" if with_files else "Remove"), until("is removed"),
    )  # fmt: skip
    assert seen[0] is False
    assert "from V2 and from the Media Pool? Its 7 files in" in seen[1]
    assert seen[2] == "Keep it"
    assert layout(resolve) == {"Video 1": [(0, 40)], "In-betweens": []}
    assert [clip for folder in resolve._manager._project._pool._root._folders for clip in folder._clips] == []
    assert len(list(films.rglob("*.tif"))) == (0 if with_files else 7)


def test_a_take_that_is_kept_is_untouched(client: Client, films: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    succeed(resolve, client, films, Choice("flow", "draft", Timing(), {}, str(films)))
    timeline_of(resolve).SetCurrentTimecode("01:00:00:08")
    show(
        resolve, choose("Source", "Edit in-betweens under the playhead (take 1)"), lambda w, i: i["Remove"].Enabled,
        press("Remove"), until("deleted as well"), press("Cancel"), lambda w, i: i["Cancel"].Text == "Close",
    )  # fmt: skip
    assert layout(resolve)["In-betweens"] == [(5, 7)]


# ---------------------------------------------------------------- others at work


def test_a_window_that_was_killed_is_no_second_one(home: Path) -> None:
    script = "import sys, time; from tweenbridge_resolve.lock import Lock; from pathlib import Path\n"
    script += "lock = Lock(Path(sys.argv[1])); print(lock.is_held, flush=True); time.sleep(60)"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert not Lock(home).is_held
        other.kill()
    lock = Lock(home)
    assert lock.is_held
    lock.release()


def test_a_second_window_is_refused(home: Path) -> None:
    lock, alerts = Lock(home), []
    assert lock.is_held
    assert app.run(make_resolve(), Fusion(), Bmd(User()), alert=alerts.append) == 1
    assert alerts[0].startswith("Tweenbridge is at work in another window already.\n")
    lock.release()
    show(make_resolve())


@pytest.mark.parametrize("windows", [0, 1])
def test_an_edition_that_makes_no_window_goes_through_the_tray(windows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, or none after the small one that waits for the server."""
    asked: list[Any] = []
    monkeypatch.setattr(app.confirm, "ask", lambda home, plan, *_: asked.append(plan))
    resolve = make_resolve()
    mark(resolve, 4, 12)
    said: list[str] = []
    status = app.run(resolve, Fusion(), Bmd(User(), makes_windows=windows), say=said.append)
    assert (status, said) == (0, ["Tweenbridge: Nothing was made."])
    assert asked[0]["notes"][0].startswith("7 in-betweens (0.3 s of the timeline)")
    assert asked[0]["notes"][1] == NO_ALPHA


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at once that Resolve does not answer."""
    monkeypatch.setattr(app, "Watch", functools.partial(Watch, patience=0.1))
    monkeypatch.setattr(dialog, "_ALIVE", 0.05)


def _open_dialog(resolve: Any) -> Callable[[str], None]:
    """A modal window of Resolve's keeps every call from returning, until whoever reads the sentence closes it."""
    resolve._studio.blocked = threading.Event()

    def say(text: str) -> None:
        if text == f"Tweenbridge: {SENTENCE}":
            resolve._studio.blocked.set()
        said.append(text)

    said: list[str] = []
    say.said = said  # type: ignore[attr-defined]
    return say


@pytest.mark.usefixtures("impatient")
def test_a_dialog_that_is_in_the_way_from_the_start_is_told_of() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    say: Any = _open_dialog(resolve)
    assert app.run(resolve, Fusion(), Bmd(User()), say=say) == 0
    assert say.said[0] == f"Tweenbridge: {SENTENCE}"


@pytest.mark.usefixtures("impatient")
def test_a_dialog_that_comes_up_in_mid_run_is_told_of_and_the_run_goes_on() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    say: Any = _open_dialog(resolve)
    resolve._studio.blocked.set()
    user = User(
        press("Generate"), lambda w, i: i["Cancel"].Text == "Cancel",
        lambda w, i: resolve._studio.blocked.clear(), until("are on track V2"),
    )  # fmt: skip
    assert app.run(resolve, Fusion(), Bmd(user), say=say) == 0
    assert f"Tweenbridge: {SENTENCE}" in say.said
    assert layout(resolve)["In-betweens"] == [(5, 7)]
