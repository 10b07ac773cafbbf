"""`tweenbridge confirm`: the window that editors without windows of their own open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.real_server import RealServer
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from tweenbridge import Spacing, Timing
from tweenbridge.protocol.codec import from_plain
from tweenbridge_tray.app import Tray
from tweenbridge_tray.confirm import read_plan, summary
from tweenbridge_tray.state.recipe import Recipe, chart_of
from tweenbridge_tray.views.confirm_window import ConfirmWindow

Until = Callable[[Callable[[], object]], None]
PLAN = {
    "title": "Shot 12",
    "host": "DaVinci Resolve",
    "keyframes": [{"label": "a.png", "frame": 100}, {"label": "b.png", "frame": 108}],
    "gaps": [{"from": 100, "to": 108, "count": 7}],
}


def test_what_is_chosen_is_told(online: Tray, until: Until, qtbot: QtBot) -> None:
    recipe = Recipe(online.session, online.models)
    window = ConfirmWindow(read_plan(json.dumps(PLAN)), recipe, online.session)
    qtbot.addWidget(window)
    window.show()
    until(lambda: recipe.engine is not None)
    recipe.choose_profile("draft")
    recipe.set_timing(hold=2)
    (generate,) = [found for found in window.findChildren(QPushButton) if found.text() == "Generate"]
    generate.click()
    choice = window.choice()
    assert (choice["accepted"], choice["engine"], choice["profile"], choice["settings"]) == (True, "flow", "draft", {})
    assert from_plain(Timing, choice["timing"]) == Timing(hold=2), "the plan, and no number, says how many frames"


def test_it_begins_with_an_earlier_choice(online: Tray, until: Until, qtbot: QtBot) -> None:
    recipe = Recipe(online.session, online.models)
    earlier = {
        "engine": "dreammover",
        "profile": "draft",
        "timing": {"spacing": "ease-in", "hold": 2, "count": 3},
        "settings": {"prompt": "a fox", "seed": "not a number", "gone": 1},
    }
    plan = read_plan(json.dumps({**PLAN, "choice": earlier}))
    window = ConfirmWindow(plan, recipe, online.session)
    qtbot.addWidget(window)
    window.show()
    until(lambda: recipe.engine is not None)
    choice = window.choice()
    assert (choice["engine"], choice["profile"], choice["settings"]) == ("dreammover", "draft", {"prompt": "a fox"})
    assert from_plain(Timing, choice["timing"]) == Timing(spacing=Spacing.EASE_IN, hold=2)


def test_an_earlier_choice_of_an_engine_that_has_gone_is_no_matter(online: Tray, until: Until, qtbot: QtBot) -> None:
    recipe = Recipe(online.session, online.models)
    plan = read_plan(json.dumps({**PLAN, "choice": {"engine": "of yesterday", "profile": "best"}}))
    window = ConfirmWindow(plan, recipe, online.session)
    qtbot.addWidget(window)
    until(lambda: recipe.engine is not None)
    assert (window.choice()["engine"], window.choice()["profile"]) == ("flow", "quality")


def test_what_should_be_known_before_is_shown(online: Tray, qtbot: QtBot) -> None:
    plan = read_plan(json.dumps({**PLAN, "notes": ["28,798 in-betweens (20 min of the timeline)"]}))
    window = ConfirmWindow(plan, Recipe(online.session, online.models), online.session)
    qtbot.addWidget(window)
    window.show()
    assert any(label.text() == plan.notes[0] and label.isVisible() for label in window.findChildren(QLabel))


def test_declining_is_an_answer(online: Tray, until: Until, qtbot: QtBot) -> None:
    window = ConfirmWindow(read_plan(json.dumps(PLAN)), Recipe(online.session, online.models), online.session)
    qtbot.addWidget(window)
    window.show()
    window.close()
    assert window.choice()["accepted"] is False


def run(text: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tweenbridge_server", "confirm"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "TWEENBRIDGE_HOME": str(home)}
    return subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("{}", "lacks 'keyframes'"),
        ("[]", "another form"),
        (json.dumps({**PLAN, "gaps": []}), "no gaps"),
        (json.dumps({**PLAN, "gaps": [{"from": 1, "to": "x", "count": 2}]}), "'x' is no whole number"),
    ],
)
def test_a_bad_plan_is_refused_with_one_sentence(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        read_plan(text)
    assert str(refused.value).endswith(".")


def test_the_command_says_what_is_wrong_and_ends_with_2(home: Path) -> None:
    result = run('{"title": 3}', home)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.strip().count("\n") == 0 and result.stderr.startswith("The plan")


def test_the_whole_way(
    home: Path, server: RealServer, monkeypatch: pytest.MonkeyPatch, qapp: QApplication, until: Until
) -> None:
    """In this process, because nobody presses a button in another one."""
    import io

    from tweenbridge_tray import app, confirm

    monkeypatch.setattr(app, "make_application", lambda arguments: qapp)

    def press() -> None:
        window = next((w for w in qapp.topLevelWidgets() if isinstance(w, ConfirmWindow) and w.isVisible()), None)
        if window is not None and window._recipe.is_ready:
            window._generate.click()
        else:
            QTimer.singleShot(50, press)

    QTimer.singleShot(50, press)
    target = io.StringIO()
    assert confirm.run(home, io.StringIO(json.dumps(PLAN)), target) == 0
    assert json.loads(target.getvalue())["accepted"] is True


def test_words_and_charts() -> None:
    assert summary(read_plan(json.dumps(PLAN))) == "2 keyframes · 1 gap · 7 in-betweens"
    assert chart_of(" 0.1, 0.5;0.9 ") == (0.1, 0.5, 0.9)
    assert chart_of("") == ()
    with pytest.raises(ValueError):
        chart_of("0.1, 2")


def test_without_a_screen_a_sentence_says_what_is_needed(home: Path) -> None:
    command = [sys.executable, "-m", "tweenbridge_server", "confirm"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "no such platform", "TWEENBRIDGE_HOME": str(home)}
    result = subprocess.run(
        command, input=json.dumps(PLAN), capture_output=True, text=True, env=environment, timeout=60, check=False
    )  # fmt: skip
    assert result.returncode == 1 and result.stdout == ""
    assert "windows could not be opened" in result.stderr and "libegl1" in result.stderr
    assert "Traceback" not in result.stderr
