"""What the panel says is what is made: numbers, alpha, profile, device."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import files_of, new_strips, rendered
from test_panel import draw


def test_three_in_a_gap_of_ten_are_three(shot: Any, ext: Any) -> None:
    ext.strips.move(shot, [ext.placement.Move("b", 4)])
    shot.tweenbridge.amount, shot.tweenbridge.count = "NUMBER", 3
    assert "Frames 5 to 14, 3 in-betweens" in draw(ext)
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    files = files_of(ext, new_strips(ext)[0])
    assert [files.count(file) for file in dict.fromkeys(files)] == [4, 3, 3]
    keyframes = {file.read_bytes() for file in (files[0].parent / "keyframes").iterdir()}
    made = [file.read_bytes() for file in dict.fromkeys(files)]
    assert len(set(made) | keyframes) == 5


def test_what_is_said_on_twos_leaves_the_held_keyframe_out(shot: Any, ext: Any) -> None:
    shot.tweenbridge.hold = "2"
    assert "Frames 5 to 10, 3 in-betweens" in draw(ext)


@pytest.mark.parametrize("depth", ["png8", "png16", "exr32"])
def test_opaque_drawings_are_sent_opaque(shot: Any, ext: Any, tmp_path: Path, depth: str) -> None:
    picture = rendered(4, tmp_path / "key", depth)
    whole = 1.0 if depth == "exr32" else np.iinfo(picture.dtype).max
    assert picture.shape[2] == 4
    assert picture[..., 3].min() == picture[..., 3].max() == whole


def test_the_profile_is_never_blank(shot: Any, ext: Any) -> None:
    from tweenbridge.protocol.messages import EngineInfo, ProfileInfo

    settings, server = shot.tweenbridge, ext.session.current.server
    settings.profile_name = ""
    for engines in (
        (),
        (EngineInfo("flow", "Flow", "1", ()),),
        (EngineInfo("flow", "Flow", "1", (ProfileInfo("q", "Q"),)),),
    ):
        server.engines = engines
        items = ext.properties._profiles(settings, None)
        assert all(identifier and title for identifier, title, *_ in items)
        settings.profile = items[0][0]
        assert settings.profile == items[0][0]
        assert ext.choices.wanted_from(settings).profile == ("q" if len(engines) and engines[0].profiles else "")
    server.engines = ()


def test_the_device_is_a_device(shot: Any, ext: Any) -> None:
    assert bpy.ops.tweenbridge.generate() == {"FINISHED"}
    assert bpy.ops.tweenbridge.check_connection() == {"FINISHED"}
    assert "auto" not in ext.server_operators.sentence()
    devices = ext.server_operators._devices
    worker = SimpleNamespace(device="auto")
    assert devices(SimpleNamespace(device=SimpleNamespace(title="RTX 4090", device="cuda:0"), workers=[worker])) == [
        "RTX 4090"
    ]
    assert devices(SimpleNamespace(device=None, workers=[worker, SimpleNamespace(device="cuda:1")])) == ["cuda:1"]
