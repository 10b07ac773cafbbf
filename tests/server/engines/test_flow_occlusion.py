"""The flow engine where things move far, by themselves, in front of one another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pictures_in_motion import Image, psnr, texture
from tweenbridge_server.engines.base import Gap
from tweenbridge_server.engines.optical_flow.engine import FlowEngine


def half_way(a: Image, b: Image) -> Image:
    [frame] = FlowEngine().interpolate(Gap(a, b), [0.5], "quality", {}, lambda fraction, stage: None)
    return frame.pixels


def test_a_ball_leaves_no_shreds_on_a_ground_that_moves_freely() -> None:
    """Camera parallax (no affine motion) behind a ball that moves by more than its size and changes its shape."""
    wide, fill = texture(256, 480, 4) * 0.6, 1 - 0.7 * texture(256, 384, 5)

    def scene(t: float) -> tuple[Image, Image]:
        y, x = np.mgrid[0:256, 0:384].astype(np.float32)
        ground = cv2.remap(wide, x + 20 + np.float32(t) * (3 + 14 * (y / 256) ** 2), y, cv2.INTER_CUBIC)
        middle, size = (120 + 110 * t, 100 + 50 * t), (34 + 3 * t, 37 - 3 * t)
        across, down = (x - middle[0]) / size[0], (y - middle[1]) / size[1]
        cover = np.clip(30 * (1 - np.hypot(across, down)) + 0.5, 0, 1).astype(np.float32)[..., None]
        skin = cv2.remap(fill, across * 37 + 192, down * 37 + 128, cv2.INTER_LINEAR)
        return np.ascontiguousarray(ground * (1 - cover) + skin * cover), cover[..., 0]

    (a, ball_a), (half, ball_half), (b, ball_b) = scene(0), scene(0.5), scene(1)
    frame = half_way(a, b)
    uncovered = cv2.dilate(np.maximum(ball_a, ball_b), np.ones((9, 9))) > 0
    assert psnr(frame[uncovered], half[uncovered]) > 33
    ball = cv2.dilate(ball_half, np.ones((9, 9))) > 0
    assert psnr(frame[ball], half[ball]) > 28


def test_a_flat_shape_without_texture_is_followed_far() -> None:
    """Line art: nothing but outlines to follow, and the shape turns while it moves by more than its size."""

    def drawing(t: float) -> Image:
        y, x = np.mgrid[0:256, 0:384].astype(np.float32)
        picture = np.stack([200 + 25 * y / 256, 180 + 0 * x, 200 - 25 * x / 384], axis=-1).astype(np.uint8)
        angle, middle = 0.35 * t, np.array([110 + 150 * t, 100 + 60 * t])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

        def put(corners: list[tuple[float, float]]) -> list[NDArray[np.int32]]:
            return [np.rint((np.array(corners) @ turn.T + middle) * 16).astype(np.int32)]

        body = [(-40.0, -30.0), (45.0, -20.0), (30.0, 35.0), (-35.0, 25.0)]
        mark = [(-5.0, -15.0), (25.0, -10.0), (10.0, 10.0)]
        cv2.fillPoly(picture, put(body), (230, 100, 100), cv2.LINE_AA, 4)
        cv2.polylines(picture, put(body), True, (25, 25, 50), 3, cv2.LINE_AA, 4)
        cv2.fillPoly(picture, put(mark), (50, 75, 200), cv2.LINE_AA, 4)
        return picture.astype(np.float32) / 255

    a, half, b = drawing(0), drawing(0.5), drawing(1)
    assert psnr(half_way(a, b), half) > 34
