"""The plugin and the fake against the published stubs: no name that Resolve does not have, no other arguments."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.resolve import application, media, timelines
from tweenbridge_resolve.api import NOT_IN_THE_STUBS

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "plugins" / "resolve" / "tweenbridge_resolve"
CALLERS = {
    "host",
    "timeline",
    "placing",
    "survey",
    "media",
    "stills",
    "render",
    "kept",
    "alone",
    "grade",
    "cautions",
    "clips",
    "removal",
    "scratch",
}
"""The files that call Resolve's API."""
MORE_CALLS = {
    "selfcheck": {"GetCurrentFolder", "GetName", "GetCurrentPage", "GetClipProperty", "AddMarker", "SetMarkInOut",
                  "ClearMarkInOut", "GetSelectedClips", "GetMarkInOut", "ExportCurrentFrameAsStill"},
    "selfcheck_live": {"SetMarkInOut", "ClearMarkInOut", "DeleteClips", "DeleteTrack"},
    "flow": {"GetName"},
    "finding": {"GetUniqueId"},
    "app": {"GetName"},
    "__main__": {"Fusion"},
}  # fmt: skip
"""What other files may ask by themselves: names to show, and what the self-check sets up."""
WINDOWS = {
    "UIDispatcher", "AddWindow", "StepLoop", "RunLoop", "ExitLoop", "GetItems", "Show", "Hide", "AddItem", "Clear",
    "VGroup", "HGroup", "Stack", "Label", "Icon", "Button", "TextEdit", "CheckBox", "SpinBox", "ComboBox", "LineEdit",
}  # fmt: skip
"""Of Fusion's UIManager, for which there are no stubs."""


def _stubs() -> ast.Module:
    files = importlib.metadata.files("fusionscript-stubs") or []
    [path] = [file for file in files if file.name == "fusionscript.pyi"]
    return ast.parse(Path(str(path.locate())).read_text(encoding="utf-8"))


CLASSES = {node.name: node for node in _stubs().body if isinstance(node, ast.ClassDef)}


def _signatures(kind: str, name: str) -> list[tuple[list[str], bool]]:
    """For each overload of a method: its arguments' names, and whether more may follow."""
    methods = [n for n in CLASSES[kind].body if isinstance(n, ast.FunctionDef) and n.name == name]
    return [([a.arg for a in m.args.args[1:]], m.args.vararg is not None) for m in methods]


FAKES = {
    application.Resolve: "Resolve",
    application.ProjectManager: "ProjectManager",
    application.Project: "Project",
    media.MediaPool: "MediaPool",
    media.Folder: "Folder",
    media.MediaPoolItem: "MediaPoolItem",
    timelines.Timeline: "Timeline",
    timelines.TimelineItem: "TimelineItem",
    timelines.Graph: "Graph",
}


METHODS = [
    (kind, name, list(inspect.signature(function).parameters)[1:])
    for fake, kind in FAKES.items()
    for name, function in inspect.getmembers(fake, inspect.isfunction)
    if name[0].isupper()
]


@pytest.mark.parametrize(("kind", "name", "arguments"), METHODS, ids=[f"{kind}.{name}" for kind, name, _ in METHODS])
def test_the_fake_has_the_methods_of_the_stubs(kind: str, name: str, arguments: list[str]) -> None:
    if name in NOT_IN_THE_STUBS:
        assert not _signatures(kind, name), "the stubs have it by now: take it off the list"
        return
    counts = {len(names) for names, _ in _signatures(kind, name)}
    assert counts, f"{kind} has no {name}"
    # One function stands for all overloads of the stubs; it takes what the longest of them takes.
    assert len(arguments) == max(counts)


def _calls(path: Path) -> set[str]:
    """Names of methods, written as Resolve writes them, that a file calls, or asks `has` about."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr[:1].isupper():
            found.add(node.func.attr)
        elif isinstance(node.func, ast.Name) and node.func.id == "has":
            assert isinstance(node.args[1], ast.Constant)
            found.add(str(node.args[1].value))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Load)
            and node.attr[:3] in ("Get", "Set", "Add")
        ):
            found.add(node.attr)
    return found


def _known() -> set[str]:
    return {n.name for c in CLASSES.values() for n in c.body if isinstance(n, ast.FunctionDef)} | set(NOT_IN_THE_STUBS)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_every_name_is_in_the_stubs_and_only_few_files_call_any(path: Path) -> None:
    names = _calls(path)
    # Made by UIManager or by Python, and named alike.
    names -= {"Path", "Popen", "TimeoutExpired", "TemporaryDirectory", "Thread", "Event"}
    if path.stem in ("dialog", "waiting", "window"):
        names -= WINDOWS
    api = names & _known()
    assert names <= _known() | _classes(path)
    if path.stem not in CALLERS:
        assert api <= MORE_CALLS.get(path.stem, set())


def _classes(path: Path) -> set[str]:
    """Classes that a module makes or that are called through one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            and node.value.id in {"argparse", "array", "tiff", "media", "subprocess", "confirm"}}  # fmt: skip


def test_every_correction_of_the_stubs_is_of_something_they_have() -> None:
    """The overlay may loosen or narrow a signature; it invents no method and no class."""
    tree = ast.parse((PACKAGE / "api.py").read_text(encoding="utf-8"))
    corrected = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert len(corrected) == len(FAKES)
    for kind in corrected:
        for method in kind.body:
            if isinstance(method, ast.FunctionDef) and method.name not in NOT_IN_THE_STUBS:
                names = [a.arg for a in method.args.args[1:]]
                fits = [known[: len(names)] == names for known, _ in _signatures(kind.name, method.name)]
                assert any(fits), f"{kind.name}.{method.name}{names}"


WRONG = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from tweenbridge_resolve.api import MediaPoolItem, Timeline

def wrong(timeline: Timeline, media: MediaPoolItem) -> None:
    timeline.SetCurrentTimecode(5)
    timeline.SetCurentTimecode("5")
    media.SetClipProperty("FPS")
    timeline.AddTrack("video")
"""


def test_the_type_checker_knows_the_api(tmp_path: Path) -> None:
    """Were the stubs not found, or a class of theirs anything at all, everything would pass."""
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "wrong.py")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line.partition("wrong.py:")[2].partition(":")[0] for line in result.stdout.splitlines()[:-1]]
    assert found == ["8", "9", "10"], result.stdout
