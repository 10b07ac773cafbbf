"""For tests of the timeline: a small scene, and strips of known pixels on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

WIDTH, HEIGHT = 32, 24

Put = Callable[..., Any]


@pytest.fixture
def scene() -> Any:
    """The start-up scene at 32 x 24 with an empty timeline; its view transform is AgX, as Blender's default is."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.sequence_editor_create()
    assert scene.view_settings.view_transform == "AgX"
    return scene


@pytest.fixture
def noise() -> Callable[..., Any]:
    """Makes noise: every value can occur, and none of it is like another seed's."""

    def make(seed: int, channels: int = 4, dtype: str = "uint8") -> Any:
        picture = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (HEIGHT, WIDTH, channels), dtype)
        if channels == 4:
            # Colour under no alpha is not kept by anyone.
            picture[..., 3][picture[..., 3] < np.iinfo(dtype).max // 32] = 0
            picture[picture[..., 3] == 0] = 0
            picture[: HEIGHT // 2, :, 3] = np.iinfo(dtype).max
        return picture

    return make


@pytest.fixture
def put(scene: Any, tmp_path: Path) -> Put:
    """Puts a strip on the timeline that shows a picture (an array, written as PNG) on some frames."""
    import pictures
    from bl_ext.user_default.tweenbridge import strips

    def put_picture(name: str, picture: Any, start: int, length: int, channel: int = 1) -> Any:
        pictures.write_png(tmp_path / f"{name}.png", picture)
        made = strips.insert_images(
            scene, name=name, directory=str(tmp_path), files=[f"{name}.png"] * length, start=start, channel=channel
        )
        return strips.find(scene, made)

    return put_picture
