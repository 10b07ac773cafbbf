"""The window as a user has it: what it shows, what pressing does, and that closing it leaves nothing half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
import pytest
from fakes.resolve import Quirks, base, edits, make_resolve, shots
from fakes.resolve.timelines import TimelineItem
from fakes.resolve.windows import Bmd, Fusion
from resolve_shots import layout, mark, shown, succeed, timeline_of, view
from tweenbridge import Client, Spacing, Timing
from tweenbridge_resolve import app, choice, dialog, folders
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.dialog import Dialog
from tweenbridge_resolve.flow import Run
from tweenbridge_resolve.host import Host
from tweenbridge_resolve.lock import Lock
from tweenbridge_resolve.watch import Watch

Step = Callable[[Any, dict[str, Any]], Any]


class User:
    """Goes through steps with the main window, one each time that the loop comes round; waits where one gives False."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self._ends = time.monotonic() + 60
        self.threads: set[int] = set()

    def __call__(self, window: Any) -> None:
        self.threads.add(threading.get_ident())
        assert time.monotonic() < self._ends, "it does not end"
        items = window.GetItems()
        if "Generate" not in items:
            return
        if not self._steps:
            window.close()
        elif self._steps[0](window, items) is not False:
            del self._steps[0]


def press(name: str) -> Step:
    return lambda window, items: window.press(name)


def choose(name: str, word: str) -> Step:
    return lambda window, items: window.choose(name, word)


def put(name: str, what: str, value: Any) -> Step:
    return lambda window, items: setattr(items[name], what, value)


def until(text: str) -> Step:
    return lambda window, items: text in items["Status"].Text


def close_box(window: Any, items: Any) -> None:
    window.close()


def see(seen: list[Any], name: str, what: str) -> Step:
    return lambda window, items: seen.append(getattr(items[name], what))


@pytest.fixture(autouse=True)
def home(studio_home: Path, monkeypatch: pytest.MonkeyPatch, films: Path) -> Iterator[Path]:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(studio_home))
    monkeypatch.setattr(dialog, "usual_folder", lambda: films)
    monkeypatch.setattr(folders, "usual_folder", lambda: films)
    yield studio_home
    (studio_home / "resolve-choice.json").unlink(missing_ok=True)


def show(resolve: Any, *steps: Step, edit: bool = False, picked: str = "") -> tuple[int, Bmd, list[str]]:
    """Open the window, go through the steps, close it; returns the exit status, the windows, and what was said."""
    user, said = User(*steps), []
    bmd, fusion = Bmd(user), Fusion()
    fusion.picked = picked
    status = app.run(resolve, fusion, bmd, edit=edit, say=said.append)
    assert user.threads == base.CALLED_FROM == {threading.get_ident()}
    assert not any(window.shown for window in bmd.windows)
    return status, bmd, said


def test_two_presses_make_in_betweens(films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12, 13)
    before = view(resolve)
    status, _, said = show(resolve, see(seen, "Found", "PlainText"), press("Generate"), until("are on track V2"))
    assert status == 0, said
    listing = "01:00:00:04  K4\n      7 frames\n01:00:00:12  K12\n      no frame\n01:00:00:13  K13"
    assert seen == [f"{listing}\n\n7 in-betweens (0.3 s of the timeline), up to 1 MB on disk"]
    assert layout(resolve)["In-betweens"] == [(5, 7)]
    assert view(resolve) == before
    assert said[-1].startswith("Tweenbridge: 7 in-betweens are on track V2, In-betweens. The frames are in ")
    assert len(list(films.rglob("*_take*.tif"))) == 7


def test_what_is_chosen_is_made_and_remembered(home: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    show(
        resolve, choose("Spacing", "Ease in and out"), put("Hold", "Value", 2), choose("Profile0", "Draft"),
        press("Generate"), until("are on track V2"),
    )  # fmt: skip
    wanted = Choice("flow", "draft", Timing(spacing=Spacing.EASE_IN_OUT, hold=2))
    assert choice.load(home) == wanted
    seen: list[Any] = []
    show(
        resolve, see(seen, "Spacing", "CurrentIndex"), see(seen, "Hold", "Value"), see(seen, "Profile0", "CurrentIndex")
    )
    assert seen == [3, 2, 1]


def test_settings_of_every_engine_are_there_and_read_back(home: Path) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    seen: list[Any] = []
    _, _, said = show(
        resolve, choose("Engine", "DreamMover"), lambda w, i: i["Pages"].CurrentIndex == 1,
        put("Setting1_0", "Text", "/models/none"), press("Generate"), until("none"), see(seen, "Generate", "Enabled"),
    )  # fmt: skip
    kept = choice.load(home)
    assert (kept.engine, kept.settings) == ("dreammover", {"model": "/models/none"})
    assert seen == [True]  # it can be tried again at once
    assert any("/models/none" in line for line in said)
    assert layout(resolve) == {"Video 1": [(0, 40)]}


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([put("Chart", "Text", "0.5 later")], "The timing chart has “later” in it"),
        ([put("Count", "Value", 3), put("Folder", "Text", "/proc/nowhere")], "cannot be written to"),
        ([put("Chart", "Text", "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8")], "8 in-betweens do not fit"),
        (
            [choose("Engine", "DreamMover"), put("Setting1_3", "Text", "much"), put("Setting1_0", "Text", "x")],
            "which is not a number",
        ),
        (
            [choose("Engine", "DreamMover"), put("Setting1_3", "Text", "7"), put("Setting1_0", "Text", "x")],
            "it can be 0 to 2",
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_window(steps: list[Step], sentence: str) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    status, _, _ = show(resolve, *steps, press("Generate"), until(sentence))
    assert status == 1
    assert layout(resolve) == {"Video 1": [(0, 40)]}


def test_without_keyframes_it_says_how_to_set_them_and_looks_again() -> None:
    resolve, seen = make_resolve(), []

    def set_markers(window: Any, items: Any) -> None:
        mark(resolve, 2, 5)

    show(
        resolve, see(seen, "Found", "PlainText"), see(seen, "Generate", "Enabled"), set_markers, press("Refresh"),
        lambda window, items: items["Generate"].Enabled, see(seen, "Found", "PlainText"),
    )  # fmt: skip
    assert seen[0].startswith("The timeline has no keyframes yet.\nSelect two clips, or park the playhead on a cut")
    assert seen[1] is False
    assert seen[2].startswith("01:00:00:02  K2\n      2 frames\n01:00:00:05  K5\n")


def test_looking_again_looks_at_the_timeline_that_is_open_by_now() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    project = resolve.GetProjectManager().GetCurrentProject()

    def another(window: Any, items: Any) -> None:
        made = project.GetMediaPool().CreateEmptyTimeline("Shot 13")
        made._tracks[0].items.append(TimelineItem(project._pool._root._clips[0], made._start, 40, 0, 1))
        mark(resolve, 10, 20)

    show(
        resolve, another, press("Refresh"), lambda window, items: "K20" in items["Found"].PlainText,
        press("Generate"), until("are on track"),
    )  # fmt: skip
    assert timeline_of(resolve).GetName() == "Shot 13"
    assert layout(resolve)["In-betweens"] == [(11, 9)]


def test_another_source_is_chosen() -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    mark(resolve, 5, 20, 30, colour="Red")
    timeline_of(resolve).SetMarkInOut(3, 35)
    show(
        resolve, lambda window, items: seen.extend(items["Source"]._words),
        choose("Source", "Between markers: Red (3, within In and Out)"),
        lambda window, items: "K30" in items["Found"].PlainText, press("Generate"), until("are on track"),
    )  # fmt: skip
    within = ", within In and Out)"
    assert seen == [f"Between markers: Blue (2{within}", f"Between markers: Red (3{within}", "Between In and Out"]
    assert layout(resolve)["In-betweens"] == [(6, 14), (21, 9)]


def test_cancelling_a_run_leaves_the_window_open_and_nothing_behind(films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    busy: Step = lambda window, items: items["Cancel"].Text == "Cancel"  # noqa: E731
    status, _, _ = show(
        resolve, press("Generate"), busy, press("Cancel"), until("Nothing was made."), see(seen, "Cancel", "Text")
    )
    assert (status, seen) == (0, ["Close"])
    assert layout(resolve) == {"Video 1": [(0, 40)]}
    assert not list(films.iterdir())


def test_closing_the_window_in_mid_run_asks_first(films: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    seen: list[Any] = []
    monkeypatch.setattr(Run, "step", lambda self, timeout=0.0: time.sleep(0.01))
    _, _, said = show(
        resolve, press("Generate"), lambda window, items: items["Cancel"].Text == "Cancel", close_box,
        until("Closing this window stops them"), see(seen, "Generate", "Text"), press("Cancel"),
    )  # fmt: skip
    assert seen == ["Go on"]
    assert said == ["Tweenbridge: Nothing was made."]
    assert layout(resolve) == {"Video 1": [(0, 40)]}
    assert not films.exists() or not list(films.iterdir())
    with Client(home) as client:
        assert client.jobs()[0].state.is_final


def test_it_closes_when_resolve_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "_ALIVE", 0.05)
    resolve = make_resolve()
    mark(resolve, 4, 12)

    def quit_resolve(window: Any, items: Any) -> None:
        resolve._studio.has_quit = True

    never: Step = lambda window, items: False  # noqa: E731
    status, _, _ = show(resolve, quit_resolve, never)
    assert status == 0


def test_edit_begins_with_the_in_betweens_under_the_playhead(client: Client, films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    succeed(resolve, client, films, Choice("flow", "draft", Timing(spacing=Spacing.EASE_OUT), {}, str(films)))
    timeline_of(resolve).SetCurrentTimecode("01:00:00:08")
    show(
        resolve, lambda window, items: seen.append(items["Source"]._words[0]), see(seen, "Spacing", "CurrentIndex"),
        press("Generate"), until("take 2"), edit=True,
    )  # fmt: skip
    assert seen == ["Edit in-betweens under the playhead (take 1)", 2]
    assert layout(resolve)["In-betweens take 2"] == [(5, 7)]


def test_choosing_in_betweens_brings_their_settings_back(client: Client, films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12)
    succeed(resolve, client, films, Choice("flow", "draft", Timing(spacing=Spacing.EASE_OUT), {}, str(films)))
    timeline_of(resolve).SetCurrentTimecode("01:00:00:08")
    show(
        resolve, see(seen, "Spacing", "CurrentIndex"), choose("Source", "Edit in-betweens under the playhead (take 1)"),
        lambda window, items: items["Spacing"].CurrentIndex == 2, see(seen, "Source", "CurrentIndex"),
    )  # fmt: skip
    assert seen == [0, 1]


def test_without_a_server_there_is_a_sentence_and_no_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("tweenbridge.launcher.importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("TWEENBRIDGE_SERVER_COMMAND", raising=False)
    resolve = make_resolve()
    mark(resolve, 4, 12)
    before = time.monotonic()
    status, _, said = show(resolve)
    assert status == 1
    assert time.monotonic() < before + 5
    assert said == [
        "The Tweenbridge server is not running, and nothing tells how to start it.\n"
        "Start it once with `tweenbridge serve`; from then on it starts by itself."
    ]


def test_a_problem_before_any_window_is_an_alert() -> None:
    alerts: list[str] = []
    resolve = make_resolve(Quirks(lies_about_start=3))
    assert app.run(resolve, Fusion(), Bmd(User()), alert=alerts.append) == 1
    assert alerts[0].startswith(
        "The timeline starts at timecode 01:00:00:00, but Resolve says that this is frame 86403"
    )


def test_what_should_not_happen_is_kept_in_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Dialog) -> int:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(Dialog, "run", fail)
    alerts: list[str] = []
    assert app.run(make_resolve(), Fusion(), Bmd(User()), alert=alerts.append) == 1
    assert "ZeroDivisionError('a mistake of ours')" in alerts[0]
    log = home / "logs" / "resolve.log"
    assert f"Please report it with the end of {log}." in alerts[0]
    assert "a mistake of ours" in log.read_text(encoding="utf-8")


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


def test_very_many_in_betweens_are_asked_about() -> None:
    resolve, seen = make_resolve(frames=28800), []
    timeline_of(resolve).SetMarkInOut(0, 28799)
    show(
        resolve, see(seen, "Found", "PlainText"), press("Generate"), until("Is that what you mean?"),
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
        resolve, edit, press("Generate"), until("has changed since this list was made"),
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
        resolve, open_another, press("Generate"), until("has changed since this list was made"),
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
        lambda w, i: i["Remove"].Enabled, press("Remove"), until("as well?"), see(seen, "Status", "Text"),
        see(seen, "Cancel", "Text"), press("Generate" if with_files else "Remove"), until("is removed"),
    )  # fmt: skip
    assert seen[0] is False
    assert "its clip on V2, and the clip in the media pool. Delete its 7 files in" in seen[1]
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
        press("Remove"), until("as well?"), press("Cancel"), lambda w, i: i["Cancel"].Text == "Close",
    )  # fmt: skip
    assert layout(resolve)["In-betweens"] == [(5, 7)]


# ---------------------------------------------------------------- others at work


def test_a_second_window_is_refused(home: Path) -> None:
    lock, alerts = Lock(home), []
    assert lock.is_held
    assert app.run(make_resolve(), Fusion(), Bmd(User()), alert=alerts.append) == 1
    assert alerts[0].startswith("Tweenbridge is at work in another window already.\n")
    lock.release()
    show(make_resolve())


def test_an_edition_that_makes_no_window_goes_through_the_tray(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(app.confirm, "ask", lambda home, plan, *_: asked.append(plan))
    resolve = make_resolve()
    mark(resolve, 4, 12)
    said: list[str] = []
    status = app.run(resolve, Fusion(), Bmd(User(), makes_windows=False), say=said.append)
    assert (status, said) == (0, ["Tweenbridge: Nothing was made."])
    assert asked[0]["notes"][0].startswith("7 in-betweens (0.3 s of the timeline)")


def test_a_dialog_of_resolves_that_holds_everything_up_is_told_of() -> None:
    resolve, said = make_resolve(), []
    mark(resolve, 4, 12)
    timeline, told = timeline_of(resolve), threading.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    with Watch(say, patience=0.05) as watch:
        watch.beat()
        # A modal window keeps a call from returning until it is closed, here by whoever has read the sentence.
        timeline._blocked = told
        assert Host(resolve).timeline.GetMarkers()
    assert said == [
        "DaVinci Resolve has not answered for a while. If it shows a dialog, close it; Tweenbridge then goes on by "
        "itself."
    ]
