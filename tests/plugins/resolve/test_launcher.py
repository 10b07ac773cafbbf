"""The menu script under every interpreter at hand: from the built bundle, through the real server, to the timeline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.real_server import server_python
from tweenbridge_installer import resolve_build, wheels

ROOT = Path(__file__).resolve().parents[3]

MENU = ROOT / "tests" / "fakes" / "resolve" / "menu.py"
MINORS = range(7, 16)


def _interpreters() -> dict[str, str]:
    """Programs by version, "3.8" and so on; the one that runs this is among them."""
    found = {}
    for minor in MINORS:
        programs = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python"))
        program = str(programs[-1]) if programs else shutil.which(f"python3.{minor}")
        if program and _runs(program):
            found[f"3.{minor}"] = program
    found["{}.{}".format(*sys.version_info)] = sys.executable
    return found


def _runs(program: str) -> bool:
    # pyenv puts programs on the PATH that refuse to run where another version is chosen.
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0


AT_HAND = _interpreters()
OLDEST = AT_HAND.get("3.8", sys.executable)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script for this platform, built from these sources."""
    platform = resolve_build.this_platform()
    if platform not in wheels.PLATFORMS:
        pytest.skip(f"There is no bundle for {platform}.")
    out = tmp_path_factory.mktemp("bundle with a space")
    [built] = resolve_build.build(ROOT, out, print, platforms=[platform], folder=True)
    return built


def menu(
    python: str, launcher: Path, home: Path, user: Path, *options: str, **variables: str
) -> tuple[dict[str, list[list[int]]], list[str], str]:
    """Choose the script from the menu; returns the tracks, what windows said, and what the console shows."""
    user.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "TWEENBRIDGE_HOME": str(home),
        "HOME": str(user),
        "USERPROFILE": str(user),
        **variables,
    }
    command = [python, "-I", str(MENU), str(launcher), *options]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    *console, last = result.stdout.splitlines()
    told = json.loads(last)
    return told["tracks"], told["said"], "\n".join(console)


@pytest.mark.parametrize("version", AT_HAND)
def test_under_every_python(version: str, bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    launcher = bundle / resolve_build.LAUNCHER
    tracks, said, console = menu(AT_HAND[version], launcher, studio_home, tmp_path / "user", "--windows")
    if tuple(int(part) for part in version.split(".")) < (3, 8):
        assert tracks == {"Video 1": [[0, 40]]}
        assert said == [
            f"DaVinci Resolve has loaded Python {version}; Tweenbridge needs 3.8 or later. Install a newer Python from "
            "python.org and start DaVinci Resolve again."
        ]
        return
    assert tracks == {"Video 1": [[0, 40]], "In-betweens": [[4, 5]]}, console
    assert said[0].startswith("5 in-betweens are on track V2, In-betweens. The frames are in ")
    assert len(list((tmp_path / "user").rglob("*_take*.tif"))) == 5


def test_what_the_installation_wrote_down_counts(bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    launcher = tmp_path / "Utility" / resolve_build.LAUNCHER
    launcher.parent.mkdir()
    shutil.copy(bundle / resolve_build.LAUNCHER, launcher)
    home = tmp_path / "home"
    shutil.copytree(studio_home / "run", home / "run")
    folders = {name: str(bundle / resolve_build.BUNDLE / name) for name in ("package", "vendor")}
    (home / "resolve.json").write_text(json.dumps(folders), encoding="utf-8")
    tracks, _, _ = menu(sys.executable, launcher, home, tmp_path / "user", "--windows")
    assert tracks["In-betweens"] == [[4, 5]]


@pytest.mark.parametrize("recorded", [None, "", "[]", '{"package": 3, "vendor": []}', '{"package": "/nowhere"}'])
def test_without_its_files_it_says_so(recorded: str | None, bundle: Path, tmp_path: Path) -> None:
    launcher = tmp_path / "Utility" / resolve_build.LAUNCHER
    launcher.parent.mkdir()
    shutil.copy(bundle / resolve_build.LAUNCHER, launcher)
    home = tmp_path / "home"
    home.mkdir()
    if recorded is not None:
        (home / "resolve.json").write_text(recorded, encoding="utf-8")
    tracks, said, console = menu(sys.executable, launcher, home, tmp_path / "user", "--windows")
    assert said == ["Tweenbridge's files are not where they were installed. Install it for DaVinci Resolve again."]
    assert said[0] in console
    assert list(tracks) == ["Video 1"]


def test_where_no_window_comes_it_says_so_on_the_console(bundle: Path, tmp_path: Path) -> None:
    launcher = tmp_path / "Utility" / resolve_build.LAUNCHER
    launcher.parent.mkdir()
    shutil.copy(bundle / resolve_build.LAUNCHER, launcher)
    _, said, console = menu(sys.executable, launcher, tmp_path / "home", tmp_path / "user", "--no-window")
    assert said == []
    assert console.startswith("Tweenbridge: Tweenbridge's files are not where they were installed.")


def test_libraries_for_another_python_are_missed_by_name(bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "Utility")
    tag = "abi3" if sys.version_info >= (3, 12) else "cp{}{}".format(*sys.version_info)
    shutil.rmtree(tmp_path / "Utility" / resolve_build.BUNDLE / "vendor" / tag)
    launcher = tmp_path / "Utility" / resolve_build.LAUNCHER
    _, said, _ = menu(sys.executable, launcher, studio_home, tmp_path / "user", "--windows")
    assert "without its libraries for Python {}.{}".format(*sys.version_info) in said[0]
    assert f"{tag} is missing" in said[0]


# ---------------------------------------------------------------- editions without windows

CONFIRM = """
import json, sys
if sys.argv[1] == "confirm":
    plan = json.load(sys.stdin)
    with open({seen!r}, "w") as file:
        json.dump(plan, file)
    print(json.dumps({answer!r}))
else:
    with open({seen!r} + "." + sys.argv[1], "w") as file:
        file.write("started")
"""


def _tray(tmp_path: Path, answer: object) -> tuple[Path, dict[str, str]]:
    """A stand-in for the installation's command: where the plan will be, and the variables that make it the command."""
    seen, program = tmp_path / "plan.json", tmp_path / "tweenbridge.py"
    program.write_text(CONFIRM.format(seen=str(seen), answer=answer), encoding="utf-8")
    return seen, {"TWEENBRIDGE_SERVER_COMMAND": f'"{server_python()}" "{program}" serve'}


def test_without_windows_the_tray_asks(bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    answer = {"accepted": True, "engine": "flow", "profile": "draft", "timing": {"hold": 2}, "settings": {}}
    seen, variables = _tray(tmp_path, answer)
    launcher = bundle / resolve_build.LAUNCHER
    tracks, said, console = menu(OLDEST, launcher, studio_home, tmp_path / "user", **variables)
    assert tracks["In-betweens"] == [[4, 5]]
    assert said == []
    assert console.splitlines()[-1].startswith("Tweenbridge: 5 in-betweens are on track V2, In-betweens.")
    plan = json.loads(seen.read_text(encoding="utf-8"))
    assert plan["host"] == "DaVinci Resolve"
    assert plan["title"] == "Shot 12: Between markers: Blue (2)"
    assert plan["keyframes"] == [
        {"label": "K3 01:00:00:03", "frame": 86403},
        {"label": "K9 01:00:00:09", "frame": 86409},
    ]
    assert plan["gaps"] == [{"from": 86403, "to": 86409, "count": 5}]
    frames = sorted((tmp_path / "user").rglob("*_take*.tif"))
    assert frames[1].read_bytes() == frames[2].read_bytes()  # on twos
    assert seen.with_suffix(".json.tray").exists()


def test_declined_in_the_tray_nothing_happens(bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    _, variables = _tray(tmp_path, {"accepted": False})
    tracks, _, console = menu(
        sys.executable, bundle / resolve_build.LAUNCHER, studio_home, tmp_path / "user", **variables
    )
    assert list(tracks) == ["Video 1"]
    assert console == "Tweenbridge: Nothing was made."


@pytest.mark.parametrize(
    "answer", ["yes", {"accepted": 1}, {"accepted": True, "timing": {"hold": "two"}}, {"accepted": True, "engine": 3}]
)
def test_an_answer_that_makes_no_sense_is_said(answer: object, bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    _, variables = _tray(tmp_path, answer)
    tracks, _, console = menu(
        sys.executable, bundle / resolve_build.LAUNCHER, studio_home, tmp_path / "user", **variables
    )
    assert list(tracks) == ["Video 1"]
    assert "The answer of Tweenbridge's tray app cannot be understood" in console


def test_with_neither_windows_nor_a_tray_it_says_what_to_do(bundle: Path, studio_home: Path, tmp_path: Path) -> None:
    program = tmp_path / "old.py"
    program.write_text("raise SystemExit(2)", encoding="utf-8")
    command = f'"{server_python()}" "{program}" serve'
    tracks, _, console = menu(
        sys.executable, bundle / resolve_build.LAUNCHER, studio_home, tmp_path / "user",
        TWEENBRIDGE_SERVER_COMMAND=command,
    )  # fmt: skip
    assert list(tracks) == ["Video 1"]
    assert "has no windows for scripts" in console
    assert "its window also takes two exported stills" in console
