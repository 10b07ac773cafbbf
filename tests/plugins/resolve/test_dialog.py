"""The window as a user has it: what it shows, what pressing does, and that closing it leaves nothing half done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Quirks, make_resolve
from fakes.resolve.timelines import TimelineItem
from fakes.resolve.windows import Bmd, Fusion
from resolve_shots import layout, mark, succeed, timeline_of, view
from resolve_window import Step, User, choose, close_box, press, put, see, show, until
from tweenbridge import Client, Spacing, Timing
from tweenbridge_resolve import app, choice, dialog
from tweenbridge_resolve.choice import Choice
from tweenbridge_resolve.dialog import Dialog
from tweenbridge_resolve.flow import Run
from tweenbridge_resolve.words import NO_ALPHA

pytestmark = pytest.mark.usefixtures("home")


def test_two_presses_make_in_betweens(films: Path) -> None:
    resolve, seen = make_resolve(), []
    mark(resolve, 4, 12, 13)
    before = view(resolve)
    status, _, said = show(resolve, see(seen, "Found", "PlainText"), press("Generate"), until("are on track V2"))
    assert status == 0, said
    listing = "01:00:00:04  K4\n      7 frames\n01:00:00:12  K12\n      no frame\n01:00:00:13  K13"
    (summary,) = seen
    # How long it takes follows where an earlier run tells the speed.
    assert summary.startswith(f"{listing}\n\n7 in-betweens (0.3 s of the timeline), up to 1 MB on disk")
    assert summary.endswith(f"\n{NO_ALPHA}")
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
        end = time.monotonic() + 20
        while not client.jobs()[0].state.is_final:
            assert time.monotonic() < end, "the job goes on though the window was closed"
            time.sleep(0.05)


def test_going_on_after_the_close_box_makes_what_was_begun() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12)
    status, _, said = show(
        resolve, press("Generate"), lambda window, items: items["Cancel"].Text == "Cancel", close_box,
        lambda window, items: items["Generate"].Text == "Go on" and window.press("Generate"),
        until("are on track V2"), lambda window, items: items["Generate"].Text == "Generate in-betweens",
    )  # fmt: skip
    assert status == 0, said
    assert layout(resolve)["In-betweens"] == [(5, 7)]


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
