"""`tweenbridge resolve --selfcheck`: what it says of a good Resolve and of bad ones, and that it leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.resolve import Quirks, make_resolve
from resolve_shots import layout, mark, view
from tweenbridge_resolve import selfcheck

ROOT = Path(__file__).resolve().parents[3]


pytestmark = pytest.mark.usefixtures("home")


def check(quirks: Quirks) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Exit status; each line's outcome and sentence by its title; the last line."""
    resolve = make_resolve(quirks, rate="25")
    mark(resolve, 4, 12)
    resolve.OpenPage("color")
    before, tracks = view(resolve), layout(resolve)
    project = resolve.GetProjectManager().GetCurrentProject()
    said: list[str] = []
    status = selfcheck.run(resolve, said.append)
    assert view(resolve) == before
    assert layout(resolve) == tracks
    assert [timeline.GetName() for timeline in project._timelines] == ["Shot 12"]
    assert project._pool._root._folders == []
    lines = {line[6:].partition(": ")[0]: (line[:4].strip(), line.partition(": ")[2]) for line in said[1:-1]}
    return status, lines, said[-1]


def test_a_good_resolve() -> None:
    status, lines, last = check(Quirks(has_selection=True))
    assert status == 0
    assert {outcome for outcome, _ in lines.values()} == {"ok"}, lines
    assert lines["Placing"][1] == "frame-accurate; endFrame is the frame after the last one"
    assert lines["A whole run"][1] == "5 in-betweens came from the server and lie on V4, In-betweens take 3"
    assert last == "22 ok, 0 to note, 0 failed."


@pytest.mark.parametrize(
    ("quirks", "title", "outcome", "sentence"),
    [
        (Quirks(exclusive_end=False), "Placing", "ok", "endFrame is the last frame"),
        (Quirks(still_alpha=True), "Alpha", "ok", "stills have it, and so have in-betweens"),
        (Quirks(), "Alpha", "ok", "stills have none: transparent areas become black"),
        (Quirks(has_stills=False), "Stills", "note", "every keyframe is rendered"),
        (Quirks(stale_stills=2), "Stills", "ok", "every frame shows itself"),
        (Quirks(stale_stills=60), "Stills", "FAIL", "frame 0 of the sequence was asked for, and frame 10 is in the"),
        (Quirks(mark_in_out=False), "In and Out", "note", "use markers"),
        (Quirks(preset_sticks=True), "After a render", "FAIL", "Your render settings did not come back"),
        (Quirks(inserts_tracks=False), "A track in between", "note", "on top only"),
        (Quirks(tracks_stay_on=True), "Tracks alone", "FAIL", "did not switch off track V"),
        (Quirks(nodes_switch="refused"), "A timeline's grade", "note", "bypass it yourself"),
        (Quirks(duplicates="nothing"), "A timeline's grade", "note", "bypass it yourself"),
        (Quirks(colour_science="acescct"), "Colour management", "note", "ACES Input Transform"),
        (Quirks(), "Selected clips", "note", "21.0.4 does"),
        (Quirks(misplaces=1), "Placing", "FAIL", "did not place"),
        (Quirks(render_fails=True), "Rendering one frame", "FAIL", "could not render the frame"),
        (Quirks(stuck_playhead=10**6), "Playhead", "FAIL", "did not move to"),
    ],
)
def test_others(quirks: Quirks, title: str, outcome: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selfcheck.Checks, "whole_run", lambda self: "left out here")
    status, lines, _ = check(quirks)
    assert lines[title][0] == outcome
    assert sentence in lines[title][1]
    assert status == any(said == "FAIL" for said, _ in lines.values())


@pytest.mark.parametrize("quirks", [Quirks(import_fails=True), Quirks(lies_about_start=1)])
def test_without_a_scratch_timeline_it_says_why(quirks: Quirks) -> None:
    resolve, said = make_resolve(quirks), []
    assert selfcheck.run(resolve, said.append) == 1
    assert said[0].startswith("FAIL  Scratch timeline: ")


MODULE = """
import sys
sys.path.insert(0, {tests!r})
from fakes.resolve import Quirks, make_resolve
RESOLVE = {resolve}
def scriptapp(name):
    assert name == "Resolve"
    return RESOLVE
"""


def _command(tmp_path: Path, resolve: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    modules = tmp_path / "api" / "Modules"
    modules.mkdir(parents=True)
    if resolve:
        text = MODULE.format(tests=str(ROOT / "tests"), resolve=resolve)
        (modules / "DaVinciResolveScript.py").write_text(text, encoding="utf-8")
    variables = {
        **os.environ,
        "RESOLVE_SCRIPT_API": str(modules.parent),
        "PYTHONPATH": str(ROOT / "plugins" / "resolve"),
    }
    command = [sys.executable, "-m", "tweenbridge_server", "resolve", *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=100, check=False)


def test_the_command_checks_a_running_studio(tmp_path: Path) -> None:
    result = _command(tmp_path, "make_resolve(Quirks())", "--selfcheck")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "ok    Playhead: goes to every frame" in result.stdout


def test_the_command_says_when_resolve_does_not_run(tmp_path: Path) -> None:
    result = _command(tmp_path, "None")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: DaVinci Resolve does not run, or does not let programs in.\n")
    assert "External scripting using to Local" in result.stderr


def test_the_command_says_when_resolve_is_not_installed(tmp_path: Path) -> None:
    result = _command(tmp_path, "")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: DaVinci Resolve's scripting module is not on this computer.\n")


def test_the_command_says_when_resolve_cannot_be_loaded_here(tmp_path: Path) -> None:
    result = _command(tmp_path, "__import__('fusionscript_for_another_python')")
    assert result.returncode == 1
    assert "scripting module does not load in Python {}.{}: No module".format(*sys.version_info) in result.stderr
    assert "Use Workspace > Scripts > Tweenbridge" in result.stderr


def test_the_command_says_when_there_are_no_keyframes(tmp_path: Path) -> None:
    result = _command(tmp_path, "make_resolve(Quirks(studio=False))")
    assert result.returncode == 1
    assert "The timeline has no keyframes yet.\nSelect two clips" in result.stdout
