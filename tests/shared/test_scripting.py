"""Every block of code in docs/scripting.md runs, in order, as one reader would run them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from fakes.pictures import keyframe
from fakes.real_server import server_command
from page import fences
from tweenbridge import Client, read_address

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scripting.md"


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("TWEENBRIDGE_HOME", str(home))
    monkeypatch.setenv("TWEENBRIDGE_SERVER_COMMAND", " ".join(shlex.quote(word) for word in server_command()))
    monkeypatch.chdir(tmp_path)
    for step, name in enumerate("abc"):
        Path(f"{name}.png").write_bytes(keyframe(step, 160, 120))
    blocks = fences(DOCUMENT)
    assert {block.kind for block in blocks} == {"python"}
    names: dict[str, Any] = {}
    try:
        for block in blocks:
            exec(compile("\n" * block.line + block.text, str(DOCUMENT), "exec"), names)
    finally:
        if read_address(home) is not None:
            with Client(home, start_server=False) as client:
                client.stop_server()
    said = capsys.readouterr().out
    assert sorted(path.name for path in Path("out").glob("*.*")) == ["0000.png", "0001.png", "0002.png", "middle.tif"]
    assert "flow: " in said
    assert "gap 1, t = 0.50" in said
    assert "Keyframe 2 (missing.png) cannot be read" in said
    assert said.count("done\n") == 1
    assert "no such file" in said
    assert len(list(Path("out").glob("*/*.png"))) == 5 + 4
