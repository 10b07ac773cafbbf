"""Things that pass each other: the ground that both hide, each in one keyframe, and which of them is in front."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures_in_motion import Image, disc_over, psnr, texture
from tweenbridge_server.engines.base import Gap
from tweenbridge_server.engines.optical_flow import quality
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.tracks import STRAIGHT, Tracks
from tweenbridge_server.engines.optical_flow.unseen import Unseen, find_unseen, paint, sampled

HEIGHT, WIDTH = 240, 360
LEFT, RIGHT, MIDDLE = 80, 280, 120
LARGE, SMALL = 45, 32


def sky() -> Image:
    """(H, W, 3) a ground that changes smoothly."""
    down, across = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    return np.dstack([0.2 + 0.5 * across, 0.3 + 0.3 * down, 0.8 - 0.3 * across * down]).astype(np.float32)


def scene(t: float, seed: int) -> Image:
    """Two discs, each on its way to where the other is at first; the smaller one in front."""
    picture = sky()
    step = (RIGHT - LEFT) * t
    for x, radius, shade in ((LEFT + step, LARGE, (0.5, 0.3, 0.0)), (RIGHT - step, SMALL, (0.0, 0.1, 0.4))):
        fill = np.asarray(0.5 * texture(HEIGHT, WIDTH, seed + radius) + shade, np.float32)
        picture = disc_over(picture, fill, x, MIDDLE, radius)
    return picture


def gap(seed: int) -> Gap:
    return Gap(scene(0.0, seed), scene(1.0, seed))


def disc(x: float, radius: int) -> NDArray[np.bool_]:
    """(H, W) the places of a disc."""
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(found, (round(x), MIDDLE), radius, 1, cv2.FILLED)
    return found > 0


def hidden_in_both() -> NDArray[np.bool_]:
    """(H, W) at t = 0.5: ground that either keyframe hides, but for edges."""
    return disc(LEFT, SMALL - 3) | disc(RIGHT, SMALL - 3)


@pytest.mark.parametrize("seed", range(2))
def test_ground_that_neither_keyframe_shows_is_like_what_is_around(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    guide, truth, places = FlowEngine().guide(gap(seed)), scene(0.5, seed), hidden_in_both()
    drawing, trust = guide.in_between(0.5)
    assert psnr(drawing[places], truth[places]) > 33
    # Whoever can draw better, as DreamMover can, is told to.
    assert trust[places].max() == 0
    monkeypatch.setattr(quality, "find_unseen", lambda *known: None)
    assert psnr(guide.drawing(0.5)[places], truth[places]) < 20


@pytest.mark.parametrize("t", [0.4, 0.5])
def test_where_two_things_meet_one_of_them_is_in_front(t: float) -> None:
    guide, truth = FlowEngine().guide(gap(0)), scene(t, 0)
    step = (RIGHT - LEFT) * t
    front = disc(RIGHT - step, SMALL - 4)
    behind = disc(LEFT + step, LARGE - 4) & ~disc(RIGHT - step, SMALL + 4)
    drawing = guide.drawing(t)
    assert psnr(drawing[front], truth[front]) > 32
    assert psnr(drawing[behind], truth[behind]) > 26


def test_what_grows_has_no_unseen_places() -> None:
    a = texture(HEIGHT, WIDTH, 3)
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 8, 1.7)
    b = np.ascontiguousarray(cv2.warpAffine(a, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC))
    guide = FlowEngine().guide(Gap(a, b))
    assert guide._ways(0.5).unseen is None


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 700),
    channels=st.sampled_from([3, 4]),
    seed=st.integers(0, 1000),
    share=st.floats(0, 1),
)
def test_painting_keeps_what_is_seen_and_invents_no_colours(
    height: int, width: int, channels: int, seed: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    picture = random.random((height, width, channels), np.float32) * 2
    where = random.random((height, width)) < share
    behind = np.where(where, 0, random.random((height, width), np.float32) + np.float32(1e-6)).astype(np.float32)
    painted = picture.copy()
    paint(painted, Unseen(where, behind[sampled(height, width)]))
    assert np.array_equal(painted[~where], picture[~where])
    assert np.isfinite(painted).all()
    assert painted.min() >= -1e-6
    assert painted.max() <= picture.max() + 1e-4


@pytest.mark.parametrize(("shown", "found"), [(0, False), (20, True)])
def test_without_anything_to_paint_with_nothing_is_painted(shown: int, found: bool) -> None:
    flow = np.full((40, 40, 2), 10, np.float32)
    sure = np.ones((40, 40), np.float32)
    tracks = Tracks(flow, STRAIGHT, sure, sure * 5)
    empty = np.ones((40, 40), np.bool_)
    empty[:shown] = False
    trust = np.where(empty, 0, 1).astype(np.float32)
    still = np.zeros((40, 40, 2), np.float32)
    unseen = find_unseen([(tracks, still, 0.5), (tracks, still, 0.5)], empty, trust, np.zeros_like(sure))
    assert (unseen is not None) == found
    if unseen is not None:
        assert np.array_equal(unseen.where, empty)


def test_an_even_ground_stays_even() -> None:
    picture = np.full((90, 1200, 3), (0.2, 0.5, 0.7), np.float32)
    where = np.zeros((90, 1200), np.bool_)
    where[20:60, 300:500] = True
    # A thing in front, of another colour, does not count.
    picture[20:60, 500:560] = 1
    behind = np.ones((90, 1200), np.float32)
    behind[where] = 0
    behind[20:60, 500:560] = 1e-6
    painted = picture.copy()
    paint(painted, Unseen(where, behind[sampled(90, 1200)]))
    assert np.abs(painted[where] - (0.2, 0.5, 0.7)).max() < 0.01
