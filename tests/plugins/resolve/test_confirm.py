"""Asking through the tray: what its answer makes of a choice, and that a question does not outlive Resolve."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import make_resolve
from resolve_shots import draft, found, mark
from tweenbridge import Client, Spacing, Timing, TweenbridgeError
from tweenbridge_resolve import app, confirm
from tweenbridge_resolve.choice import Choice, merged
from tweenbridge_resolve.errors import PluginError, Trouble
from tweenbridge_resolve.flow import Run, Stage
from tweenbridge_resolve.placement import make_plan

BEFORE = Choice("dreammover", "best", Timing(hold=3), {"model": "x"}, "/films")


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        ({"accepted": False, "engine": "flow"}, None),
        ({"accepted": True}, Choice("dreammover", "best", Timing(), {}, "/films")),
        (
            {"accepted": True, "engine": "flow", "profile": "", "settings": {"a": 0.5, "b": True},
             "timing": {"spacing": "ease-in", "count": 4, "chart": []}},
            Choice("flow", "", Timing(count=4, spacing=Spacing.EASE_IN), {"a": 0.5, "b": True}, "/films"),
        ),
    ],
)  # fmt: skip
def test_the_answer_is_the_choice(answer: dict[str, Any], after: Choice | None) -> None:
    assert merged(BEFORE, answer) == after


@pytest.mark.parametrize("part", [{"engine": None, "timing": 3}, {"settings": {"a": []}}, {"timing": {"spacing": "x"}}])
def test_an_answer_of_another_shape_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(TweenbridgeError, match="could not be understood"):
        merged(BEFORE, {"accepted": True, **part})


def test_the_plan_lists_gaps_with_room() -> None:
    resolve = make_resolve()
    mark(resolve, 4, 12, 13, 15)
    _, marked = found(resolve)
    plan = confirm.description("Shot 12", make_plan(marked, Timing()), BEFORE)
    assert [(gap["from"] - 86400, gap["to"] - 86400, gap["count"]) for gap in plan["gaps"]] == [(4, 12, 7), (13, 15, 1)]
    assert len(plan["keyframes"]) == 4


def test_the_question_is_taken_back_when_resolve_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ask.py"
    program.write_text(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))} serve"
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", command)
    before = time.monotonic()
    with pytest.raises(PluginError, match="DaVinci Resolve was closed") as caught:
        confirm.ask(tmp_path, {}, BEFORE, lambda: not (tmp_path / "pid").exists())
    assert caught.value.code is Trouble.CANCELLED
    assert time.monotonic() < before + 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_run_is_cancelled_when_resolve_ends(client: Client, films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_ALIVE", 0.0)
    resolve = make_resolve()
    mark(resolve, 4, 12)
    host, marked = found(resolve)
    made = Run(host, client, marked, draft(films))
    made.begin()
    resolve._studio.has_quit = True
    app.drive(made, host, print)
    assert made.stage is Stage.CANCELLED
    assert not list(films.iterdir())
