"""Edits that a seed chooses while frames are made: `many_edits` runs a thousand, this a few of them."""

from __future__ import annotations

import os
from pathlib import Path

import many_edits
import pytest
from tweenbridge_resolve import host, placing, stills

COUNT = int(os.environ.get("TWEENBRIDGE_EDITS", "40"))


@pytest.mark.parametrize("seed", range(COUNT))
def test_clips_are_where_they_belong_or_nothing_was_placed(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_PATIENCE", 0.05)
    monkeypatch.setattr(placing, "_LISTED", 0.02)
    monkeypatch.setattr(stills, "_PAUSE", 0.0)
    many_edits.sequence(seed, tmp_path)
