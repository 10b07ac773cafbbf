"""What stays as it is, to the pixel: bars and titles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pictures_in_motion import Image, psnr, texture
from tweenbridge_server.engines.base import Gap, Unheard
from tweenbridge_server.engines.optical_flow.engine import FlowEngine
from tweenbridge_server.engines.optical_flow.frame import within_bars


def made(a: Image, b: Image, t: float = 0.5) -> Image:
    [frame] = FlowEngine().interpolate(Gap(a, b), [t], "quality", {}, Unheard())
    return frame.pixels


def panned(t: float, dx: int, dy: int) -> Image:
    """A window of 160 x 240 on a textured ground, which moves."""
    wide = texture(240, 320)
    x, y = 40 + round(t * dx), 40 + round(t * dy)
    return np.ascontiguousarray(wide[y : y + 160, x : x + 240])


@pytest.mark.parametrize("way", [(24, 0), (0, 16), (20, 12)])
@pytest.mark.parametrize("colour", [0.0, 0.3])
def test_bars_stay_and_nothing_of_them_comes_into_the_picture(way: tuple[int, int], colour: float) -> None:
    def boxed(t: float) -> Image:
        picture = panned(t, *way)
        picture[:20] = picture[-20:] = colour
        return picture

    a, b, true = boxed(0), boxed(1), boxed(0.5)
    frame = made(a, b)
    assert np.array_equal(frame[:20], a[:20]) and np.array_equal(frame[-20:], a[-20:])
    assert psnr(frame[20:-20], true[20:-20]) > 34


def test_pillars_are_bars_and_plain_ground_around_a_drawing_is_none() -> None:
    a, b = panned(0, 8, 0), panned(1, 8, 0)
    a[:, :30] = b[:, :30] = 0
    inner = within_bars(Gap(a, b))
    assert inner is not None
    assert (inner.rows, inner.columns) == (slice(0, 160), slice(30, 240))
    paper = np.ones((120, 160, 3), np.float32)
    drawing_a, drawing_b = paper.copy(), paper.copy()
    cv2.circle(drawing_a, (50, 60), 20, (0, 0, 0), 3)
    cv2.circle(drawing_b, (90, 60), 20, (0, 0, 0), 3)
    assert within_bars(Gap(drawing_a, drawing_b)) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 40)])
def test_pictures_of_one_colour_have_no_bars(size: tuple[int, int]) -> None:
    assert within_bars(Gap(np.zeros((*size, 3), np.float32), np.ones((*size, 3), np.float32))) is None


@pytest.mark.parametrize("t", [0.25, 0.5])
def test_a_title_over_a_ground_that_moves_is_exact(t: float) -> None:
    def titled(at: float) -> tuple[Image, Image]:
        picture = (panned(at, 24, 8) * 255).astype(np.uint8)
        title = np.zeros(picture.shape[:2], np.uint8)
        cv2.putText(title, "TITLE", (40, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 6)
        picture[title > 0] = (255, 250, 240)
        return picture.astype(np.float32) / 255, title > 0

    (a, where), (b, _) = titled(0), titled(1)
    frame = made(a, b, t)
    assert np.array_equal(frame[where], a[where])


def test_a_ball_that_passes_over_equal_ground_is_not_cut() -> None:
    """Ground that is equal in both keyframes is no title: things pass in front of it."""

    def ball(t: float) -> Image:
        picture = np.full((120, 240, 3), 0.9, np.float32)
        cv2.circle(picture, (round(60 + 120 * t), 60), 30, (0.8, 0.2, 0.1), cv2.FILLED)
        return picture

    assert psnr(made(ball(0), ball(1)), ball(0.5)) > 24
