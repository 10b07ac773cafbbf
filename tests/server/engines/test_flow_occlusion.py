"""The flow engine where one thing hides another."""

from __future__ import annotations

import cv2
import numpy as np
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
