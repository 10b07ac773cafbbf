"""What the documents say is so: commands and options exist, every error has its entry, charts are the program's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import typer.core
import typer.main
from pages import PAGES, ROOT, arguments, commands, is_ours
from tweenbridge.protocol.errors import ErrorCode
from tweenbridge_server.cli import app

DOCS = ROOT / "docs"
BOOTSTRAP_ONLY = {"test", "setup", "COMMAND"}


def _refusal(words: list[str]) -> str:
    """Why the command line does not take these words; "" when it does. Nothing is run."""
    command = typer.main.get_command(app)
    context, name = None, "tweenbridge"
    try:
        while words or context is None:
            context = command.make_context(name, words, parent=context)
            if not isinstance(command, typer.core.TyperGroup):
                return ""
            name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
    except Exception as error:  # noqa: BLE001 - click's own are not public here: whatever it says is the refusal
        return str(getattr(error, "message", error)) or repr(error)
    return ""  # a command's name alone speaks of it, and asks nobody to type it


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_are_those_of_the_command_line(page: Path) -> None:
    refused = {}
    for line in commands(page):
        words = arguments(line)
        if words[0] not in BOOTSTRAP_ONLY and not {"--help", "--version"} & set(words):
            refused[line] = _refusal(words)
    refused = {line: why for line, why in refused.items() if why}
    assert refused == {}


def test_the_check_of_commands_can_fail() -> None:
    assert "No such command" in _refusal(["dance"])
    assert "No such option" in _refusal(["interpolate", "a.png", "--dance"])
    assert _refusal(["build", "blender", "--split"]) == ""
    assert is_ours("TWEENBRIDGE_TORCH=cpu python3 bootstrap.py setup")
    assert not is_ours("tweenbridge")


def test_there_are_commands_to_check() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 60


def test_every_error_code_has_an_entry() -> None:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^### (\w+)\n\n((?:(?!^#).*\n)+)", text, re.MULTILINE))
    assert {code.value for code in ErrorCode} <= entries.keys()
    assert all(len(entry.split()) > 10 for entry in entries.values())


def test_every_setting_and_variable_that_is_named_exists() -> None:
    from tweenbridge_server.config import KEYS

    variables = {key.variable for key in KEYS} | {
        "TWEENBRIDGE_HOME", "TWEENBRIDGE_TORCH", "TWEENBRIDGE_OFFLINE", "TWEENBRIDGE_SERVER_COMMAND",
        "TWEENBRIDGE_BLENDERS",
    }  # fmt: skip
    named = {name for page in PAGES for name in re.findall(r"TWEENBRIDGE_[A-Z_]+\b", page.read_text(encoding="utf-8"))}
    assert {name for name in named if not name.endswith("_")} <= variables
    tables = "|".join({key.table for key in KEYS})
    settings = {
        name for page in DOCS.glob("*.md")
        for name in re.findall(rf"`((?:{tables})\.\w+)`", page.read_text(encoding="utf-8"))
    }  # fmt: skip
    settings = {name for name in settings if not name.endswith((".json", ".toml"))}
    assert settings <= {key.path for key in KEYS}


def test_the_timing_charts_are_drawn_by_the_programs_own_arithmetic() -> None:
    drawer = runpy.run_path(str(DOCS / "timing_charts.py"))
    text = (DOCS / "timing.md").read_text(encoding="utf-8")
    for name, timing in drawer["CHARTS"].items():
        path = DOCS / "timing" / f"{name}.svg"
        assert path.read_text(encoding="utf-8") == drawer["svg"](timing), f"run docs/timing_charts.py ({name})"
        assert f"timing/{name}.svg" in text
