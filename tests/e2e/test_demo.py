"""`tweenbridge demo`: what a new user sees first."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from tweenbridge_server import demo_scene
from tweenbridge_server.demo import COUNT

from .conftest import Studio, frames


def test_the_keyframes_are_three_different_pictures_and_always_the_same() -> None:
    first, again = demo_scene.keyframes(), demo_scene.keyframes()
    assert len(first) == len(demo_scene.POSES) == 3
    for picture, repeated in zip(first, again):
        assert picture.shape == (720, 1280, 3)
        assert np.array_equal(picture, repeated)
        assert picture.std() > 20
    for left, right in zip(first, first[1:]):
        assert float(np.abs(left.astype(int) - right.astype(int)).mean()) > 2


@pytest.mark.slow
def test_the_demo_makes_frames_a_film_and_a_sheet_and_says_where(studio: Studio) -> None:
    printed = studio.expect("demo")
    folder = studio.folder / "tweenbridge-demo"
    assert len(frames(folder / "frames")) == 2 * COUNT
    with av.open(str(folder / "hop.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.width, stream.height) == (1280, 720)
        assert sum(1 for _ in film.decode(stream)) == 2 * COUNT + 3
    sheet = cv2.imread(str(folder / "sheet.jpg"))
    assert sheet is not None
    for path in (folder / "frames", folder / "hop.mp4", folder / "sheet.jpg"):
        assert str(path.relative_to(studio.folder)) in printed
    assert "22 in-betweens" in studio.expect("demo"), "it can be shown again"
