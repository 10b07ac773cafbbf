"""A site that fails leaves a folder that tells why, and a sentence that says where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import keeping
from .site import Site


def test_what_there_was_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(keeping, "kept", [])
    with pytest.raises(AssertionError), Site(tmp_path / "site", name="seed7") as site:
        site.ensure_server()
        assert site.process is not None
        pid = site.process.pid
        (site.home / "spool" / "tmp" / "stray").write_text("half a frame")
        raise AssertionError("seed 7, round 2: a promise was not kept.\nand the plan")
    folder = tmp_path / "kept" / "seed7"
    assert keeping.kept == [f"seed7: seed 7, round 2: a promise was not kept. What was seen is in {folder}."]
    assert (folder / "failure.txt").read_text().endswith("and the plan\n")
    assert f"server {pid} listens" in (folder / "timeline.txt").read_text()
    assert f"{pid}  " in (folder / "processes.txt").read_text()
    assert (folder / "home" / "logs" / "server.log").read_text()
    assert (folder / "home" / "jobs.sqlite3").stat().st_size > 0
    assert (folder / "home" / "spool" / "tmp" / "stray").read_text() == "half a frame"
    assert not site.is_up
